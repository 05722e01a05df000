"""Buffers that activation checkpointing would move a second time."""

import torch
from torch import Tensor, nn


def recomputes(network: nn.Module) -> bool:
    """Whether a stock backbone in it makes forward passes again."""
    return any(getattr(m, 'with_cp', False) for m in network.modules())


class RecomputedBuffers:
    """Running statistics as the forward passes of an iteration left them.

    With ``with_cp`` a part of each pass is made again in the backward pass,
    where it moves the statistics again, also in a pass that was not to move
    any.

    Args:
        network (nn.Module): What is trained. Nothing is done for a network
            that recomputes nothing.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.active = recomputes(network)
        # What recomputes is not known where mmengine wraps modules.
        self.unknown = False
        self._values: list[Tensor] = []

    def activate(self) -> None:
        """Tell that modules recompute whose settings do not say so."""
        self.active = self.unknown = True

    def concern(self, part: nn.Module) -> bool:
        """Whether a part of the network recomputes, or may."""
        return self.unknown or recomputes(part)

    @torch.no_grad()
    def note(self) -> None:
        """Note the buffers, after the forward passes."""
        if self.active:
            self._values = [b.clone() for b in self.network.buffers()]

    @torch.no_grad()
    def put_back(self) -> None:
        """Bring back what was noted, once, after the backward pass."""
        for buffer, value in zip(self.network.buffers(), self._values):
            buffer.copy_(value)
        self._values = []
