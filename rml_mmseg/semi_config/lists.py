"""Lists of labelled and unlabelled images, which may follow the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SEED, SPLIT = '{seed}', '{split}'


class ImageLists(NamedTuple):
    """Paths of two lists, with ``{seed}`` and ``{split}`` for those of a run.

    Attributes:
        labelled (Path): List of the labelled images.
        unlabelled (Path): List of the unlabelled ones.
    """

    labelled: Path
    unlabelled: Path

    @property
    def follow_runs(self) -> bool:
        """bool: Whether they are others for other seeds or splits."""
        return self.names(SEED) or self.names(SPLIT)

    def names(self, word: str) -> bool:
        """Whether a path holds a word such as ``'{seed}'``."""
        return any(word in str(path) for path in self)

    def of(self, seed: int, split: str) -> tuple[Path, Path]:
        """The files of a run.

        Args:
            seed (int): Its seed.
            split (str): Its split.
        """
        labelled, unlabelled = (
            Path(str(path).replace(SEED, str(seed)).replace(SPLIT, split))
            for path in self
        )
        return labelled, unlabelled

    def of_runs(
        self, seeds: Sequence[int], splits: Sequence[str]
    ) -> list[tuple[Path, Path]]:
        """The files of all runs, each pair once.

        Args:
            seeds (Sequence[int]): Seeds.
            splits (Sequence[str]): Splits; none where there is one only.
        """
        pairs = (self.of(n, split) for split in splits or [''] for n in seeds)
        return list(dict.fromkeys(pairs))

    def check_words(self, splits: Sequence[str], follow: bool) -> None:
        """Refuse words that stand for nothing.

        Args:
            splits (Sequence[str]): Splits; none where there is one only.
            follow (bool): Whether there are several runs to follow.

        Raises:
            ValueError: Naming the setting and what would be right.
        """
        for word in (SEED, SPLIT):
            if self.names(word) and not follow:
                raise ValueError(
                    f'{word} in --labelled or --unlabelled stands for that '
                    'of a run of a suite, and goes with --suite'
                )
        if self.names(SPLIT) and not splits:
            raise ValueError(
                f'{SPLIT} in --labelled or --unlabelled: say which ones there '
                'are by --splits, such as --splits 1-8 1-4'
            )
        if splits and not self.names(SPLIT):
            raise ValueError(
                f'--splits={list(splits)} needs {SPLIT} in --labelled and '
                f'--unlabelled, such as splits/{SPLIT}_seed{SEED}/labelled.txt'
            )

    def check_files(self, seeds: Sequence[int], splits: Sequence[str]) -> None:
        """Look for the files of all runs.

        Args:
            seeds (Sequence[int]): Seeds.
            splits (Sequence[str]): Splits; none where there is one only.

        Raises:
            FileNotFoundError: If a file is missing; names the first one.
        """
        for split in splits or ['']:
            for seed in seeds:
                for option, path in zip(self._fields, self.of(seed, split)):
                    if not path.is_file():
                        raise FileNotFoundError(
                            f'--{option}: no list file {path}, for seed '
                            f'{seed}; make_splits.py writes lists, which '
                            '--dataset needs'
                        )
