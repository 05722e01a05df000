import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rml_mmseg.models.utils.recomputed_buffers import RecomputedBuffers


class _Norm(nn.Module):
    def __init__(self, with_cp):
        super().__init__()
        self.with_cp = with_cp
        self.norm = nn.BatchNorm2d(2)

    def forward(self, images):
        if self.with_cp:
            return checkpoint(self.norm, images, use_reentrant=True)
        return self.norm(images)


@pytest.mark.parametrize('passes', [1, 3])
def test_statistics_are_those_of_the_forward_passes(passes):
    torch.manual_seed(0)
    images = torch.randn(passes, 4, 2, 3, 3, requires_grad=True)
    found = []
    for with_cp in (False, True):
        network = _Norm(with_cp)
        buffers = RecomputedBuffers(network)
        total = sum(network(part).square().sum() for part in images)
        buffers.note()
        total.backward()
        moved = network.norm.running_mean.clone()
        buffers.put_back()
        found.append(network.norm.state_dict())
        assert with_cp != torch.equal(moved, network.norm.running_mean)
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name


def test_they_are_put_back_once():
    network = _Norm(True)
    buffers = RecomputedBuffers(network)
    buffers.note()
    buffers.put_back()
    network.norm.running_mean.fill_(5.0)
    buffers.put_back()
    assert network.norm.running_mean.tolist() == [5, 5]
