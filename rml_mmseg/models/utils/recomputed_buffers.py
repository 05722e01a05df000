"""Buffers that activation checkpointing would update twice."""

import torch
from torch import Tensor, nn


def recomputes(network: nn.Module) -> bool:
    """Whether a stock backbone in it uses activation checkpointing."""
    return any(getattr(m, 'with_cp', False) for m in network.modules())


class RecomputedBuffers:
    """Restores running statistics to those after the forward passes.

    With ``with_cp``, the backward pass repeats a part of each forward pass
    and so updates the statistics again, even those that the forward pass
    was to leave alone.

    Args:
        network (nn.Module): The trained network. Nothing is done if it
            recomputes nothing.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.active = recomputes(network)
        # Where mmengine wraps modules, it is unknown which of them recompute.
        self.unknown = False
        self._values: list[Tensor] = []

    def activate(self) -> None:
        """Assume that modules recompute although no ``with_cp`` says so."""
        self.active = self.unknown = True

    def concern(self, part: nn.Module) -> bool:
        """Whether a part of the network recomputes or may do so."""
        return self.unknown or recomputes(part)

    @torch.no_grad()
    def note(self) -> None:
        """Save the buffers, after the forward passes."""
        if self.active:
            self._values = [b.clone() for b in self.network.buffers()]

    @torch.no_grad()
    def put_back(self) -> None:
        """Restore the saved buffers, once, after the backward pass."""
        for buffer, value in zip(self.network.buffers(), self._values):
            buffer.copy_(value)
        self._values = []
