"""Batches that a worker sends in one piece."""

import io
import pickle
from typing import Any, Optional

import torch
from torch import Tensor

# Tensors begin at multiples of this, in bytes: views of any dtype need it.
ALIGNMENT = 64

# Begin and end in the buffer in bytes, dtype and shape of a tensor.
Place = tuple[int, int, torch.dtype, torch.Size]


class _Pickler(pickle.Pickler):
    """Pickler that leaves plain tensors out and numbers them."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []

    def persistent_id(self, obj: Any) -> Optional[int]:
        if type(obj) is not Tensor or obj.layout is not torch.strided:
            return None
        if obj.device.type != 'cpu' or obj.requires_grad:
            return None
        self.tensors.append(obj)
        return len(self.tensors) - 1


class _Unpickler(pickle.Unpickler):
    """Unpickler that puts the tensors back."""

    def __init__(self, file: io.BytesIO, tensors: list[Tensor]) -> None:
        super().__init__(file)
        self.tensors = tensors

    def persistent_load(self, pid: int) -> Tensor:
        return self.tensors[pid]


def _read(buffer: Tensor, place: Place) -> Tensor:
    """View of one tensor in the buffer, sharing its memory."""
    start, end, dtype, shape = place
    return buffer[start:end].view(dtype).view(shape)


def rebuild(content: bytes, buffer: Tensor, places: list[Place]) -> dict:
    """Rebuild the dict that ``OneBufferDict.packed`` took apart.

    Args:
        content (bytes): Pickle of everything but the tensors.
        buffer (Tensor): Memory that the tensors will share, uint8.
        places (list[tuple]): Where each tensor lies in the buffer.
    """
    tensors = [_read(buffer, place) for place in places]
    return _Unpickler(io.BytesIO(content), tensors).load()


class OneBufferDict(dict):
    """Dict whose tensors, at any depth, are pickled as one buffer.

    PyTorch sends each tensor of a worker's batch with a file descriptor and
    a connection of its own, which takes the main process about half a
    millisecond: with several views of several images, more than everything
    that mutual learning adds to an iteration. mmengine collates a batch into
    the type of its items, so a batch of such dicts is one as well. It
    arrives as a plain dict of tensors that share one memory.
    """

    def __reduce__(self) -> tuple:
        return rebuild, self.packed()

    def packed(self) -> tuple[bytes, Tensor, list[Place]]:
        """Arguments of :func:`rebuild`."""
        content = io.BytesIO()
        pickler = _Pickler(content)
        pickler.dump(dict(self))
        places: list[Place] = []
        length = 0
        for tensor in pickler.tensors:
            end = length + tensor.numel() * tensor.element_size()
            places.append((length, end, tensor.dtype, tensor.shape))
            length = -(-end // ALIGNMENT) * ALIGNMENT
        buffer = torch.empty(length, dtype=torch.uint8)
        for place, tensor in zip(places, pickler.tensors):
            _read(buffer, place).copy_(tensor)
        return content.getvalue(), buffer, places
