"""Running statistics of several processes."""

from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors


@torch.no_grad()
def average_statistics(networks: Iterable[nn.Module]) -> None:
    """Give floating-point buffers the mean over all processes, in place.

    Batch normalisation without synchronisation has running statistics of
    its own in every process, and so would its moving average. All are sent
    in one collective.

    Args:
        networks (Iterable[nn.Module]): The same in every process.
    """
    if get_world_size() == 1:
        return
    buffers = [
        buffer
        for network in networks
        for buffer in network.buffers()
        if buffer.is_floating_point()
    ]
    if not buffers:
        return
    packed = _flatten_dense_tensors([buffer.float() for buffer in buffers])
    all_reduce(packed, op='mean')
    for buffer, mean in zip(
        buffers, _unflatten_dense_tensors(packed, buffers)
    ):
        buffer.copy_(mean)
