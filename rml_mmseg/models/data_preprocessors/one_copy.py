"""Moving a batch to a device in few copies."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

# Copy a whole storage only if the batch uses at least this share of it.
SHARE = 0.5


def _storage(tensor: Tensor) -> Any:
    """Storage of a dense CPU tensor; None for any other tensor."""
    plain = tensor.device.type == 'cpu' and tensor.layout is torch.strided
    # PyTorch before 2.0 lacks `untyped_storage`.
    if not plain or not hasattr(tensor, 'untyped_storage'):
        return None
    return tensor.untyped_storage()


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _tensors(data: Any) -> Iterator[Tensor]:
    """Yield all tensors in dicts, sequences and data elements."""
    if isinstance(data, Tensor):
        yield data
    elif isinstance(data, (Mapping, BaseDataElement)):
        for value in data.values():
            yield from _tensors(value)
    elif isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        for value in data:
            yield from _tensors(value)


class OneCopy:
    """Moves tensors to a device, copying a shared storage only once.

    The tensors of a batch of ``OneBufferDict`` share one storage. mmengine
    copies each tensor by itself and waits for the GPU each time. The single
    copy waits once, or not at all from pinned memory (``PinnedCollate``).

    Args:
        device (torch.device): Target device.
        non_blocking (bool): As in ``Tensor.to``. Defaults to False.
    """

    def __init__(
        self, device: torch.device, non_blocking: bool = False
    ) -> None:
        self.to: dict[str, Any] = dict(
            device=device, non_blocking=non_blocking
        )
        self._needed: Counter = Counter()
        self._moved: dict[int, Tensor] = {}

    def __call__(self, data: Any) -> Any:
        """Move all tensors in dicts, sequences and data elements.

        Args:
            data (Any): Anything that a collated batch holds; not modified.

        Returns:
            Any: The same structure with its tensors on the device.
        """
        self._moved.clear()
        self._needed.clear()
        for tensor in _tensors(data):
            storage = _storage(tensor)
            if storage is not None:
                self._needed[storage.data_ptr()] += _size(tensor)
        return self._walk(data)

    def _walk(self, data: Any) -> Any:
        if isinstance(data, Tensor):
            return self._move(data)
        if isinstance(data, BaseDataElement):
            moved = type(data)()
            # Share the metainfo, which `data.new()` would copy.
            for name, value in data.metainfo_items():
                moved.set_field(value, name, field_type='metainfo')
            for name, value in data.items():
                moved.set_data({name: self._walk(value)})
            return moved
        if isinstance(data, Mapping):
            return {key: self._walk(value) for key, value in data.items()}
        if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
            kind: Any = type(data)
            items = [self._walk(value) for value in data]
            return kind(*items) if hasattr(data, '_fields') else kind(items)
        return data.to(**self.to) if hasattr(data, 'to') else data

    def _move(self, tensor: Tensor) -> Tensor:
        storage, size = _storage(tensor), _size(tensor)
        here = tensor.device == self.to['device']
        if here or storage is None or not tensor.is_contiguous():
            return tensor.to(**self.to)
        key, whole = storage.data_ptr(), storage.nbytes()
        if size == whole or self._needed[key] < SHARE * whole:
            return tensor.to(**self.to)
        if key not in self._moved:
            self._moved[key] = self._move_all(storage)
        start = tensor.storage_offset() * tensor.element_size()
        part = self._moved[key][start : start + size]
        return part.view(tensor.dtype).view(tensor.shape)

    def _move_all(self, storage: Any) -> Tensor:
        """Copy all bytes of a storage to the device."""
        buffer = torch.empty(0, dtype=torch.uint8).set_(storage)
        if buffer.is_pinned():
            # PyTorch reuses pinned memory only after the copy has read it.
            return buffer.to(self.to['device'], non_blocking=True)
        return buffer.to(**self.to)
