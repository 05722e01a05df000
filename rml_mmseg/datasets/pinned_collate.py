"""Collating batches that are pinned in one piece."""

from typing import Any, Callable

from torch import Tensor
from torch.utils.data import get_worker_info

from .one_buffer_dict import OneBufferDict, Place, rebuild


class BatchInTransit:
    """A ``OneBufferDict`` batch on its way from a worker.

    PyTorch would pin the tensors of a dict one by one. It calls the
    ``pin_memory`` of this class instead, which pins the whole buffer.

    Args:
        content (bytes): Pickle of the batch without its tensors.
        buffer (Tensor): Memory of the tensors, uint8.
        places (list[tuple]): Where each tensor lies in the buffer.
    """

    def __init__(
        self, content: bytes, buffer: Tensor, places: list[Place]
    ) -> None:
        self.content = content
        self.buffer = buffer
        self.places = places

    def pin_memory(self) -> dict:
        """Rebuild the batch with its tensors in one pinned buffer."""
        return rebuild(self.content, self.buffer.pin_memory(), self.places)


class PinnedCollate:
    """Collate function for a data loader with ``pin_memory=True``.

    The loader's pinning thread then receives the batch, unpickles it and
    copies it to pinned memory, from which it moves to the GPU without a
    wait. A batch that is not a ``OneBufferDict``, or that is collated in the
    main process, where there is no such thread, stays as it is.

    Args:
        collate (Callable): Collates a list of items.
    """

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list) -> Any:
        """Collate a list of items."""
        batch = self.collate(items)
        if type(batch) is OneBufferDict and get_worker_info() is not None:
            return BatchInTransit(*batch.packed())
        return batch
