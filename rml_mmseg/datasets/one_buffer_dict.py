"""Batches that travel from a worker in one piece."""

import io
import pickle
from typing import Any, Optional

import torch
from torch import Tensor

# Tensors begin at multiples of it, so that any type can be read there.
ALIGNMENT = 64

# Begin and end in the buffer, bytes; type; shape.
Place = tuple[int, int, torch.dtype, torch.Size]


class _Pickler(pickle.Pickler):
    """Leaves plain tensors out, and numbers them."""

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
    """Puts the tensors back."""

    def __init__(self, file: io.BytesIO, tensors: list[Tensor]) -> None:
        super().__init__(file)
        self.tensors = tensors

    def persistent_load(self, pid: int) -> Tensor:
        return self.tensors[pid]


def _read(buffer: Tensor, place: Place) -> Tensor:
    """A tensor that lies in the buffer, sharing its memory."""
    start, end, dtype, shape = place
    return buffer[start:end].view(dtype).view(shape)


def rebuild(content: bytes, buffer: Tensor, places: list[Place]) -> dict:
    """The dict that ``OneBufferDict.packed`` took apart.

    Args:
        content (bytes): All but the tensors, pickled.
        buffer (Tensor): Memory that they share from now on, of bytes.
        places (list[tuple]): Where in it they lie.
    """
    tensors = [_read(buffer, place) for place in places]
    return _Unpickler(io.BytesIO(content), tensors).load()


class OneBufferDict(dict):
    """A dict whose tensors, at any depth, are pickled as one.

    PyTorch sends each tensor of a batch from a worker with a file
    descriptor and a connection of its own, about half a millisecond in the
    main process: with several views of several images more than all that
    mutual learning adds to an iteration. Collated by type, as mmengine
    does, a batch of such items is one as well, and arrives as a plain dict
    of tensors that share a memory.
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
