"""Networks with values that are not finite."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from rml_mmseg.models.utils.network_state import network_state


def sum_of_norms(tensors: list[Tensor]) -> Tensor:
    """Sum of the norms, (): finite if and only if all values are.

    That is so as far as the tensors' type of numbers can say.

    Args:
        tensors (list[Tensor]): At least one.
    """
    return torch.stack(torch._foreach_norm(tensors)).sum()


def infinite_buffers(network: nn.Module) -> set[str]:
    """Names of buffers that hold infinity, such as the mask of attention."""
    return {
        name
        for name, buffer in network.named_buffers()
        if buffer.isinf().any() and not buffer.isnan().any()
    }


@torch.no_grad()
def state_norm(network: nn.Module, leave_out: Collection[str] = ()) -> Tensor:
    """Sum of the norms of a network's parameters and floating-point buffers.

    Args:
        network (nn.Module): Any network.
        leave_out (Collection[str]): Names of buffers not to look at.

    Returns:
        Tensor: (), as of :func:`sum_of_norms`.
    """
    parameters, buffers = network_state(network)
    if leave_out:
        named = network.named_buffers()
        buffers = [b for name, b in named if name not in leave_out]
    floating = [b for b in buffers if b.is_floating_point()]
    return sum_of_norms([*parameters, *floating])


@torch.no_grad()
def mend_buffers(network: nn.Module, source: nn.Module) -> None:
    """Take another network's buffers where the own ones are not finite.

    Args:
        network (nn.Module): Network that is mended.
        source (nn.Module): Network of the same structure.
    """
    buffers = [network_state(each)[1] for each in (network, source)]
    for own, other in zip(*buffers):
        if not own.isfinite().all():
            own.copy_(other)
