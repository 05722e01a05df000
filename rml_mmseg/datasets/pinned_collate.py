"""Batches that are pinned in one piece."""

from typing import Any, Callable

from torch import Tensor
from torch.utils.data import get_worker_info

from .one_buffer_dict import OneBufferDict, Place, rebuild


class BatchInTransit:
    """A batch of ``OneBufferDict`` on its way from a worker.

    PyTorch pins the tensors of a dict one by one; this asks for it itself.

    Args:
        content (bytes): The batch without its tensors, pickled.
        buffer (Tensor): Their memory, of bytes.
        places (list[tuple]): Where in it they lie.
    """

    def __init__(
        self, content: bytes, buffer: Tensor, places: list[Place]
    ) -> None:
        self.content = content
        self.buffer = buffer
        self.places = places

    def pin_memory(self) -> dict:
        """The batch, its tensors in one pinned memory."""
        return rebuild(self.content, self.buffer.pin_memory(), self.places)


class PinnedCollate:
    """Collates for a loader whose ``pin_memory`` is on.

    What is left of a batch's way to a GPU is then done by the loader's
    thread: receiving it, unpickling it and copying it to memory that the GPU
    reads without being waited for. What is no batch of ``OneBufferDict``, or
    is collated by no worker, and so reaches no such thread, stays as it is.

    Args:
        collate (Callable): What collates a list of items.
    """

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list) -> Any:
        """Collate some items."""
        batch = self.collate(items)
        if type(batch) is OneBufferDict and get_worker_info() is not None:
            return BatchInTransit(*batch.packed())
        return batch
