"""Finding and replacing values of networks that are not finite."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from rml_mmseg.models.utils.network_state import State, network_state


def all_finite(tensors: list[Tensor]) -> Tensor:
    """Whether all values of the given tensors are finite, bool, ().

    Args:
        tensors (list[Tensor]): Floating-point tensors on one device. Their
            values do not change, though a GPU writes them back in place.
    """
    if not tensors:
        return torch.tensor(True)
    device = tensors[0].device
    if device.type == 'cuda':
        try:
            return _all_finite_at_once(tensors, device)
        except RuntimeError:
            # An expanded buffer cannot be written to.
            pass
    if device.type == 'cpu':
        # Far faster, but squares of large finite values overflow, too, so
        # only a finite sum decides. Elsewhere reading it would synchronise.
        finite = torch.stack(torch._foreach_norm(tensors)).sum().isfinite()
        if finite:
            return finite
    return torch.stack([tensor.isfinite().all() for tensor in tensors]).all()


def _all_finite_at_once(tensors: list[Tensor], device: torch.device) -> Tensor:
    """Check as a gradient scaler does, with one result for all tensors."""
    found = torch.zeros((), device=device)
    one = torch.ones((), device=device)
    # Older releases of PyTorch stop early if the last tensor is empty.
    tensors = list(filter(Tensor.numel, tensors))
    for kind in {tensor.dtype for tensor in tensors}:
        alike = [tensor for tensor in tensors if tensor.dtype == kind]
        torch._amp_foreach_non_finite_check_and_unscale_(alike, found, one)
    return found == 0


def infinite_buffers(network: nn.Module) -> set[str]:
    """Names of buffers with infinite values but no NaN: attention masks."""
    return {
        name
        for name, buffer in network.named_buffers()
        if buffer.isinf().any() and not buffer.isnan().any()
    }


@torch.no_grad()
def state_is_finite(
    state: State, leave_out: Collection[Tensor] = ()
) -> Tensor:
    """Whether a network's parameters and floating-point buffers are finite.

    Args:
        state (State): Parameters and buffers.
        leave_out (Collection[Tensor]): Buffers to skip. Defaults to none.

    Returns:
        Tensor: Bool, ().
    """
    floating = state.floating
    if leave_out:
        ids = {id(buffer) for buffer in leave_out}
        floating = [b for b in floating if id(b) not in ids]
    return all_finite([*state[0], *floating])


@torch.no_grad()
def mend_buffers(network: nn.Module, source: nn.Module) -> None:
    """Replace buffers that are not finite by those of another network.

    Args:
        network (nn.Module): Network to change in place.
        source (nn.Module): Network of the same structure.
    """
    buffers = [network_state(each)[1] for each in (network, source)]
    for own, other in zip(*buffers):
        if not own.isfinite().all():
            own.copy_(other)
