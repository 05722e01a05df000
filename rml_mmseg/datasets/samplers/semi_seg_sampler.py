"""Sampling of the labelled and unlabelled images of an item."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..seeding import derive_seed

LABELLED, UNLABELLED, ITEM = range(3)


class Draw(NamedTuple):
    """Indices of images, seed of their augmentation, soft labels' folder."""

    labelled: int
    unlabelled: tuple[int, ...]
    seed: int
    soft_labels: Optional[str] = None


class ShuffledPasses:
    """Endless sequence of whole shuffled passes, with random access.

    Args:
        size (int): Number of items in a pass.
        seed (int): Seed of the order.
        stream (int): Number that tells sequences of one seed apart.
        shuffle (bool): Whether to shuffle; False keeps the order.
    """

    def __init__(
        self, size: int, seed: int, stream: int, shuffle: bool
    ) -> None:
        self.size = size
        self.seed = seed
        self.stream = stream
        self.shuffle = shuffle
        self._number = -1
        self._order = np.arange(size)

    def __getitem__(self, position: int) -> int:
        number, offset = divmod(position, self.size)
        if not self.shuffle:
            return offset
        if number != self._number:
            seed = derive_seed(self.seed, self.stream, number)
            self._order = np.random.RandomState(seed).permutation(self.size)
            self._number = number
        return int(self._order[offset])


@DATA_SAMPLERS.register_module()
class SemiSegSampler(Sampler):
    """Endless draws of labelled and unlabelled images for SemiSegDataset.

    Both sets are drawn in whole shuffled passes, each of its own length.
    Draw number n depends on the seed and n alone, so a run can resume at any
    iteration without repeating earlier draws, and the number of workers
    changes nothing. Rank r of R takes draws r, r + R, r + 2R, ...

    The training loop sets ``soft_labels`` to the folder of the stage's soft
    pseudo labels, if the stage has any.

    Args:
        dataset (SemiSegDataset): Data set to draw from.
        seed (int, optional): Seed of all draws. Defaults to a number that
            all ranks agree on.
        shuffle (bool): Whether to shuffle each pass. Defaults to True.
        skipped (int): Number of draws, over all ranks, to skip at the start.
            Defaults to 0.

    Raises:
        TypeError: If the dataset is not a ``SemiSegDataset``.
    """

    def __init__(
        self,
        dataset: Any,
        seed: Optional[int] = None,
        shuffle: bool = True,
        skipped: int = 0,
    ) -> None:
        if not hasattr(dataset, 'unlabelled'):
            raise TypeError(
                'SemiSegSampler draws pairs from a SemiSegDataset. For a '
                f'{type(dataset).__name__} set train_dataloader.sampler='
                "dict(type='InfiniteSampler', shuffle=True)"
            )
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.skipped = skipped
        self.soft_labels: Optional[str] = None

    def skip(self, draws: int) -> None:
        """Skip further draws of this rank, in constant time."""
        self.skipped += draws * self.world_size

    def __iter__(self) -> Iterator[Draw]:
        data, k = self.dataset, self.dataset.k
        passes = [
            ShuffledPasses(len(part), self.seed, stream, self.shuffle)
            for stream, part in (
                (LABELLED, data.labelled),
                (UNLABELLED, data.unlabelled),
            )
        ]
        n = self.rank + self.skipped
        while True:
            yield Draw(
                labelled=passes[LABELLED][n],
                unlabelled=tuple(
                    passes[UNLABELLED][n * k + j] for j in range(k)
                ),
                seed=derive_seed(self.seed, ITEM, n),
                soft_labels=self.soft_labels,
            )
            n += self.world_size

    def __len__(self) -> int:
        """Number of unlabelled images."""
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the number of a draw determines its pass."""
