"""Both ways of looking for values that are not finite."""

import copy
import math

import pytest
import torch
from torch import nn

from rml_mmseg.engine import finite
from rml_mmseg.models.utils.network_state import network_state


def _on_a_cpu(tensors):
    """The way of a GPU, on a CPU; older releases support it only on GPUs."""
    try:
        return finite._all_finite_at_once(tensors, torch.device('cpu'))
    except (NotImplementedError, RuntimeError):
        pytest.skip('PyTorch has no such operator for a CPU')


@pytest.mark.parametrize('look', [finite.all_finite, _on_a_cpu])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('value', [3.0, math.inf, -math.inf, math.nan])
def test_one_value_of_many(look, dtype, value):
    torch.manual_seed(0)
    tensors = [torch.randn(3, 2) for _ in range(5)]
    tensors.append(torch.full((2, 4), -0.0, dtype=dtype))
    tensors[-1][1, 2] = value
    before = copy.deepcopy(tensors)
    assert look(tensors).item() == math.isfinite(value)
    for tensor, same in zip(tensors, before):
        torch.testing.assert_close(
            tensor, same, rtol=0, atol=0, equal_nan=True
        )


@pytest.mark.parametrize('look', [finite.all_finite, _on_a_cpu])
def test_large_values_are_finite(look):
    tensors = [
        torch.full((4,), torch.finfo(torch.float32).min),
        torch.full((4,), 1e20),
        torch.full((70000,), 300.0, dtype=torch.float16),
        torch.ones(0),
    ]
    assert look(tensors).item()
    tensors[2][-1] = math.nan
    assert not look(tensors).item()


def test_of_an_expanded_tensor():
    assert finite.all_finite([torch.ones(3), torch.ones(1).expand(4)]).item()


def test_of_no_tensors():
    assert finite.all_finite([]).item()


def test_buffers_that_are_left_out():
    network = nn.BatchNorm2d(2)
    network.register_buffer('mask', torch.tensor([0.0, -math.inf]))
    state = network_state(network)
    assert not finite.state_is_finite(state)
    assert finite.state_is_finite(state, [network.mask])
    network.running_var[0] = math.nan
    assert not finite.state_is_finite(state, [network.mask])
