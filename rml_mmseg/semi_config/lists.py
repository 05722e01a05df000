"""Lists of labelled and unlabelled images, which may depend on the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SEED, SPLIT = '{seed}', '{split}'


class ImageLists(NamedTuple):
    """Paths of two lists, which may contain ``{seed}`` and ``{split}``.

    Attributes:
        labelled (Path): List of the labelled images.
        unlabelled (Path): List of the unlabelled ones.
    """

    labelled: Path
    unlabelled: Path

    @property
    def follow_runs(self) -> bool:
        """bool: Whether the lists depend on the seed or split."""
        return self.names(SEED) or self.names(SPLIT)

    def names(self, word: str) -> bool:
        """Whether a path contains a placeholder such as ``'{seed}'``."""
        return any(word in str(path) for path in self)

    def of(self, seed: int, split: str) -> tuple[Path, Path]:
        """The two list files of a run.

        Args:
            seed (int): Seed of the run.
            split (str): Split of the run.
        """
        labelled, unlabelled = (
            Path(str(path).replace(SEED, str(seed)).replace(SPLIT, split))
            for path in self
        )
        return labelled, unlabelled

    def of_runs(
        self, seeds: Sequence[int], splits: Sequence[str]
    ) -> list[tuple[Path, Path]]:
        """The list files of all runs, each pair once.

        Args:
            seeds (Sequence[int]): Seeds.
            splits (Sequence[str]): Splits; empty if there is only one.
        """
        pairs = (self.of(n, split) for split in splits or [''] for n in seeds)
        return list(dict.fromkeys(pairs))

    def check_words(self, splits: Sequence[str], follow: bool) -> None:
        """Check that the placeholders match the splits and the suite.

        Args:
            splits (Sequence[str]): Splits; empty if there is only one.
            follow (bool): Whether there is a suite, whose runs may have
                different lists.

        Raises:
            ValueError: If they do not match; names the option and what would
                be right.
        """
        for word in (SEED, SPLIT):
            if self.names(word) and not follow:
                raise ValueError(
                    f'{word} in --labelled or --unlabelled stands for that '
                    'of a run of a suite and needs --suite'
                )
        if self.names(SPLIT) and not splits:
            raise ValueError(
                f'{SPLIT} in --labelled or --unlabelled needs --splits, such '
                'as --splits 1-8 1-4'
            )
        if splits and not self.names(SPLIT):
            raise ValueError(
                f'--splits={list(splits)} needs {SPLIT} in --labelled and '
                f'--unlabelled, such as splits/{SPLIT}_seed{SEED}/labelled.txt'
            )

    def check_files(self, seeds: Sequence[int], splits: Sequence[str]) -> None:
        """Check that the list files of all runs exist.

        Args:
            seeds (Sequence[int]): Seeds.
            splits (Sequence[str]): Splits; empty if there is only one.

        Raises:
            FileNotFoundError: If a file is missing; names the first one.
        """
        for split in splits or ['']:
            for seed in seeds:
                for option, path in zip(self._fields, self.of(seed, split)):
                    if not path.is_file():
                        raise FileNotFoundError(
                            f'--{option}: no list file {path} for seed '
                            f'{seed}. --dataset needs lists, which '
                            'make_splits.py writes'
                        )
