import copy
import pickle

import torch
from torch import nn

from rml_mmseg.models.utils.network_state import StateReader, network_state


def _ids(tensors):
    return sorted(id(tensor) for tensor in tensors)


def test_the_tensors_of_a_network_each_once():
    inner = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    tied = nn.Linear(4, 4)
    tied.weight = nn.Parameter(inner[1].weight.detach().diag())
    network = nn.Sequential(inner, nn.Sequential(inner, tied), nn.Identity())
    network.register_buffer('absent', None)
    network[1].shared = tied.weight
    parameters, buffers = network_state(network)
    assert _ids(parameters) == _ids(network.parameters())
    assert _ids(buffers) == _ids(network.buffers())
    assert len(parameters) == 5 and len(buffers) == 3


def test_networks_of_one_structure_have_one_order():
    first, second = (
        nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.Linear(2, 3)))
        for _ in range(2)
    )
    shapes = [
        [tensor.shape for tensor in network_state(network)[0]]
        for network in (first, second)
    ]
    assert shapes[0] == shapes[1]


def test_a_reader_sees_tensors_that_replace_others():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Linear(2, 2))
    read = StateReader(network)
    network[0].running_mean = network[0].running_mean + 1
    network[1].bias = nn.Parameter(network[1].bias.detach() + 1)
    parameters, buffers = read()
    assert _ids(parameters) == _ids(network.parameters())
    assert _ids(buffers) == _ids(network.buffers())
    network[1].register_buffer('late', torch.ones(1))
    assert _ids(read()[1]) == _ids(network.buffers())
    network[1].bias = None
    assert _ids(read()[0]) == _ids(network.parameters())


def test_a_state_is_read_again_only_where_a_tensor_is_another():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Linear(2, 2))
    read = StateReader(network)
    first = read()
    with torch.no_grad():
        network[1].weight.add_(1)
    assert read() is first
    network[0].running_mean = torch.zeros(3)
    second = read()
    assert second is not first
    assert second.shapes[1][0] == (3,) != first.shapes[1][0]
    assert read() is second


def test_what_is_known_of_a_state_follows_its_tensors():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Linear(2, 2))
    read = StateReader(network)
    assert _ids(read().floating) == _ids(
        [network[0].running_mean, network[0].running_var]
    )
    assert _ids(read().whole) == _ids([network[0].num_batches_tracked])
    network[0].running_var = torch.ones(2, dtype=torch.int64)
    assert _ids(read().floating) == _ids([network[0].running_mean])
    assert _ids(read().whole) == _ids(
        [network[0].running_var, network[0].num_batches_tracked]
    )


def test_a_state_can_be_copied():
    state = network_state(nn.BatchNorm2d(2))
    assert [len(tensors) for tensors in state] == [2, 3]
    for other in (copy.deepcopy(state), pickle.loads(pickle.dumps(state))):
        assert other.shapes == state.shapes
        assert torch.equal(other.floating[1], state.floating[1])
        assert other.floating[1] is not state.floating[1]
