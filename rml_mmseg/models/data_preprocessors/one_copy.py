"""Moving a batch to a device in few copies."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


class OneCopy:
    """Moves tensors to a device, those that share a memory in one copy.

    The tensors of a batch of ``OneBufferDict`` lie in one memory. mmengine
    copies each by itself, and a GPU is waited for as often.

    Args:
        device (torch.device): Where to.
        non_blocking (bool): As of ``Tensor.to``. Defaults to False.
    """

    def __init__(
        self, device: torch.device, non_blocking: bool = False
    ) -> None:
        self.device = device
        self.non_blocking = non_blocking
        self._moved: dict[int, Tensor] = {}

    def __call__(self, data: Any) -> Any:
        """Move all tensors in dicts, sequences and data elements.

        Args:
            data (Any): Anything that a collated batch holds. Data elements,
                such as ``SegDataSample``, are changed in place.

        Returns:
            Any: The same with tensors on the device.
        """
        if isinstance(data, Tensor):
            return self._move(data)
        if isinstance(data, BaseDataElement):
            for name, value in data.items():
                moved = self(value)
                if moved is not value:
                    data.set_data({name: moved})
            return data
        if isinstance(data, Mapping):
            return {key: self(value) for key, value in data.items()}
        if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
            moved_items = [self(value) for value in data]
            if hasattr(data, '_fields'):
                return type(data)(*moved_items)
            kind: Any = type(data)
            return kind(moved_items)
        return data

    def _move(self, tensor: Tensor) -> Tensor:
        if tensor.device == self.device:
            return tensor
        storage = _shared_storage(tensor)
        if storage is None:
            return tensor.to(self.device, non_blocking=self.non_blocking)
        key = storage.data_ptr()
        if key not in self._moved:
            buffer = torch.empty(0, dtype=torch.uint8).set_(storage)
            self._moved[key] = buffer.to(
                self.device, non_blocking=self.non_blocking
            )
        there = self._moved[key].untyped_storage()
        return torch.empty(0, dtype=tensor.dtype, device=self.device).set_(
            there, tensor.storage_offset(), tensor.size(), tensor.stride()
        )


def _shared_storage(tensor: Tensor) -> Any:
    """Memory of which a tensor is a part, None if it is all of it."""
    plain = tensor.device.type == 'cpu' and tensor.layout is torch.strided
    # As PyTorch has it since 2.0.
    if not plain or not hasattr(tensor, 'untyped_storage'):
        return None
    storage = tensor.untyped_storage()
    size = tensor.numel() * tensor.element_size()
    return None if size == storage.nbytes() else storage
