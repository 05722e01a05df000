"""Compressed and verified storage of the soft pseudo labels of a stage.

A network predicts logits on a coarse grid and only then enlarges them to
the image. The coarse logits are what is stored: the ``TOP_K`` largest of
each cell, relative to the largest one, quantised in steps of ``STEP``.
"""

import hashlib
import io
import os.path as osp
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

from .whole_file import write_whole

TOP_K = 5
STEP = 1 / 12
# How far below the last stored logit the others are assumed to be.
DROP = 2.0


def encode(logits: Tensor, top_k: int = TOP_K) -> dict[str, np.ndarray]:
    """Compress logits.

    Args:
        logits (Tensor): (K, h, w), K up to 256.
        top_k (int): Classes kept in each cell. Defaults to ``TOP_K``.

    Returns:
        dict[str, np.ndarray]: ``classes`` and ``gaps`` (k, h, w), uint8,
        and ``count``, the number of classes.
    """
    kept = min(top_k, len(logits))
    values, classes = logits.float().topk(kept, dim=0)
    gaps = ((values[:1] - values) / STEP).round().clamp(max=255)
    return dict(
        classes=classes.to(torch.uint8).cpu().numpy(),
        gaps=gaps.to(torch.uint8).cpu().numpy(),
        count=np.array(len(logits)),
    )


def decode(arrays: dict[str, np.ndarray]) -> Tensor:
    """Restore logits (K, h, w), float16; the largest of each cell is 0."""
    classes = torch.from_numpy(arrays['classes'].astype(np.int64))
    values = torch.from_numpy(arrays['gaps']).half().mul_(-STEP)
    rest = values[-1:] - DROP
    logits = rest.repeat(int(arrays['count']), 1, 1)
    return logits.scatter_(0, classes, values)


def fingerprint(state: dict[str, Any]) -> str:
    """Hash of the tensors of a state dict, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    # The extra state of a module may be of any type.
    for key in sorted(k for k in state if isinstance(state[k], Tensor)):
        digest.update(key.encode())
        digest.update(state[key].detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


class SoftLabelStore:
    """Folder with the soft pseudo labels of one stage.

    Each image has one file, which is written under a temporary name and
    then renamed. It has a checksum and the fingerprint of the teachers that
    made it: a file that is damaged, or made by other teachers, counts as
    missing.

    Args:
        folder (str): Where the files are.
        maker (str, optional): Fingerprint of the teachers. Defaults to
            None, which accepts the files of any teachers.
    """

    def __init__(self, folder: str, maker: Optional[str] = None) -> None:
        self.folder = folder
        self.maker = maker

    def file_of(self, image: str) -> str:
        """Path of an image's soft labels."""
        name = hashlib.sha256(image.encode()).hexdigest()[:32]
        return osp.join(self.folder, f'{name}.npz')

    def write(self, image: str, logits: Sequence[Tensor]) -> None:
        """Store the logits (K, h, w) of every teacher for an image."""
        arrays: dict[str, Any] = dict(
            maker=np.array(self.maker or ''), learners=np.array(len(logits))
        )
        for i, own in enumerate(logits):
            for key, value in encode(own).items():
                arrays[f'{i}.{key}'] = value
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        # A file that a power loss damages fails its checksum.
        path = self.file_of(image)
        write_whole(path, buffer.getvalue(), durable=False)

    def read(self, image: str) -> list[Tensor]:
        """Read the logits (K, h, w) of every teacher for an image.

        Raises:
            RuntimeError: If they are missing, damaged or made by other
                teachers.
        """
        path = self.file_of(image)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                if self.maker not in (None, str(arrays['maker'])):
                    raise ValueError('made by other teachers')
                return [
                    decode(
                        {
                            key: arrays[f'{i}.{key}']
                            for key in ('classes', 'gaps', 'count')
                        }
                    )
                    for i in range(int(arrays['learners']))
                ]
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise RuntimeError(
                f'soft pseudo labels {path!r} of {image!r} cannot be used '
                f'({error}). Resume the run to make them again'
            ) from error

    def holds(self, image: str) -> bool:
        """Whether the labels of an image exist and are intact."""
        try:
            self.read(image)
        except RuntimeError:
            return False
        return True
