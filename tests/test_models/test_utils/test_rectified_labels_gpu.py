"""Where the kernel of a GPU is used."""

import sys
import types

import pytest
import torch

from rml_mmseg.models.utils import rectified_labels_gpu as gpu

DEVICE = torch.device('cuda', 0)


@pytest.fixture
def kernel(monkeypatch):
    """Stands for the module of the kernel, on whatever device."""
    clear = gpu.kernel_on.cache_clear
    clear()
    made = types.ModuleType('rectify_kernel')
    made.rectified_labels = lambda probs, weights: 'labels of the kernel'
    monkeypatch.setitem(sys.modules, 'triton', types.ModuleType('triton'))
    monkeypatch.setitem(sys.modules, gpu.KERNEL, made)
    ones = torch.ones
    monkeypatch.setattr(torch, 'ones', lambda *size, device: ones(*size))
    yield made
    clear()


def test_a_cpu_has_none():
    assert gpu.kernel_on(torch.device('cpu')) is None


def test_a_kernel_that_runs_is_used(kernel, monkeypatch):
    assert gpu.kernel_on(DEVICE) is kernel
    monkeypatch.setattr(gpu, 'kernel_on', lambda device: kernel)
    probs, weights = torch.rand(1, 2, 4, 4), torch.rand(1, 2, 2, 2)
    assert gpu.labels_on_gpu(probs, weights) == 'labels of the kernel'
    # It knows neither of these.
    for others in ((probs.double(), weights), (probs[:0], weights[:0])):
        found = gpu.labels_on_gpu(*others)
        assert torch.equal(found, gpu.labels_at_once(*others))


def test_a_kernel_that_fails_is_told_of_once(kernel):
    def fail(probs, weights):
        raise RuntimeError('no C compiler')

    kernel.rectified_labels = fail
    with pytest.warns(UserWarning, match='RuntimeError: no C compiler'):
        assert gpu.kernel_on(DEVICE) is None
    # No further warning.
    assert gpu.kernel_on(DEVICE) is None


def test_without_triton_there_is_none(kernel, monkeypatch):
    monkeypatch.setitem(sys.modules, 'triton', None)
    assert gpu.kernel_on(DEVICE) is None
