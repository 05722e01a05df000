"""Memory that a forward pass saves for its backward pass."""

from typing import Any, Callable

import torch
from torch import Tensor, nn


def saved_bytes(call: Callable[[], Any], network: nn.Module) -> int:
    """Bytes that autograd saves during a forward pass.

    Works on the meta device too, where nothing is computed. The result
    follows from shapes alone, without allocator rounding, workspaces of
    convolutions and short-lived buffers.

    Args:
        call (Callable): The forward pass.
        network (nn.Module): Network whose weights and buffers do not count.

    Returns:
        int: Bytes, each storage once.
    """
    own = {
        _storage(tensor)._cdata
        for tensor in (*network.parameters(), *network.buffers())
    }
    sizes: dict[int, int] = {}
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = _storage(tensor)
        if storage._cdata not in own:
            sizes[storage._cdata] = storage.nbytes()
            # Kept alive, so that no other storage gets its address.
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        call()
    return sum(sizes.values())


def _storage(tensor: Tensor) -> Any:
    # PyTorch 1.13 has no `untyped_storage`.
    if not hasattr(tensor, 'untyped_storage'):
        return tensor.storage().untyped()
    return tensor.untyped_storage()
