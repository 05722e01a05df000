"""Networks with values that are not finite."""

import torch
from torch import nn

from rml_mmseg.models.utils.network_state import network_state


@torch.no_grad()
def is_finite(network: nn.Module) -> bool:
    """Whether parameters and floating-point buffers of a network are."""
    parameters, buffers = network_state(network)
    floating = [b for b in buffers if b.is_floating_point()]
    norms = torch._foreach_norm([*parameters, *floating])
    return bool(torch.stack(norms).sum().isfinite())


@torch.no_grad()
def mend_buffers(student: nn.Module, teacher: nn.Module) -> None:
    """Give a student its teacher's buffers where its own are not finite.

    Args:
        student (nn.Module): Network that a batch may have spoilt.
        teacher (nn.Module): Network of the same structure.
    """
    buffers = [network_state(network)[1] for network in (student, teacher)]
    for own, other in zip(*buffers):
        if not own.isfinite().all():
            own.copy_(other)
