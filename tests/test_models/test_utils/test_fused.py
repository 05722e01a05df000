"""Where the kernels of a GPU are used."""

import sys
import types

import pytest
import torch

from rml_mmseg.models.utils import fused


@pytest.fixture
def gpu(monkeypatch):
    """As if there were a GPU, whose kernels are those of a module."""
    fused._kernels_on.cache_clear()
    monkeypatch.setattr(torch.version, 'cuda', '13.0')
    monkeypatch.setattr(
        torch.cuda, 'get_device_capability', lambda device: (9, 0)
    )
    monkeypatch.setitem(sys.modules, 'triton', types.ModuleType('triton'))
    kernels = types.ModuleType('triton_kernels')
    name = 'rml_mmseg.models.utils.triton_kernels'
    monkeypatch.setitem(sys.modules, name, kernels)
    package = sys.modules['rml_mmseg.models.utils']
    monkeypatch.setattr(package, 'triton_kernels', kernels, raising=False)
    yield kernels
    fused._kernels_on.cache_clear()


def test_a_cpu_has_none():
    assert fused.fused_kernels(torch.ones(1)) is None


def test_kernels_that_run_are_used(gpu, monkeypatch):
    monkeypatch.setattr(fused, '_try', lambda kernels, device: None)
    assert fused._kernels_on(torch.device('cuda', 0)) is gpu


def test_kernels_that_fail_are_told_of_once(gpu, monkeypatch):
    def fail(kernels, device):
        raise RuntimeError('no C compiler')

    monkeypatch.setattr(fused, '_try', fail)
    with pytest.warns(UserWarning, match='RuntimeError: no C compiler'):
        assert fused._kernels_on(torch.device('cuda', 0)) is None
    # No further warning.
    assert fused._kernels_on(torch.device('cuda', 0)) is None


def test_an_old_gpu_has_none(gpu, monkeypatch):
    monkeypatch.setattr(
        torch.cuda, 'get_device_capability', lambda device: (7, 5)
    )
    assert fused._kernels_on(torch.device('cuda', 0)) is None


def test_without_triton_there_are_none(gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, 'triton', None)
    assert fused._kernels_on(torch.device('cuda', 0)) is None
