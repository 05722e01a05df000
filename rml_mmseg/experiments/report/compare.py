"""Runs of the same method put together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Optional

from rml_mmseg.engine.changed_settings import changed_settings

from .baselines import own_baseline
from .gain import Gain
from .run import Run


@dataclass
class Group:
    """Runs of one config, or of one method and split of a suite.

    They should differ in nothing but their seeds.

    Attributes:
        name: Name of the config, or method and split.
        runs: Its runs.
        metric: The score that is compared, such as ``'mIoU'``.
        reference: The group that it is compared with, itself if it is the
            baseline.
    """

    name: str
    runs: list[Run]
    metric: str
    reference: Optional['Group'] = None

    @property
    def is_baseline(self) -> bool:
        """bool: Whether others are compared with it."""
        return self.reference is self

    @property
    def has_other_split(self) -> bool:
        """bool: Whether it is compared with runs of another split."""
        reference = self.reference
        return bool(
            reference and reference.runs[0].split != self.runs[0].split
        )

    @property
    def differences(self) -> list[str]:
        """list[str]: Settings that differ, besides seeds and lists."""
        first, *others = [run.config or {} for run in self.runs]
        found = {
            name for cfg in others for name in changed_settings(first, cfg)
        }
        return sorted(
            name
            for name in found
            if not name.startswith('randomness') and 'ann_file' not in name
        )

    @property
    def repeated_seeds(self) -> list[int]:
        """list[int]: Seeds that several of the runs have."""
        counts = Counter(run.seed for run in self.runs)
        # Runs that name no seed draw one each.
        return [s for s, n in counts.items() if s is not None and n > 1]

    @property
    def seed_warning(self) -> str:
        """str: What is wrong with the seeds of the runs, '' for nothing."""
        if not self.repeated_seeds:
            return ''
        seeds = ', '.join(map(str, self.repeated_seeds))
        names = ', '.join(
            run.name for run in self.runs if run.seed in self.repeated_seeds
        )
        return (
            f'{self.name} has several runs of seed {seeds} ({names}), so its '
            'mean is not one over seeds: give runs that shall be told apart '
            'configs of other names'
        )

    def score(self, run: Run, kind: str) -> Optional[float]:
        """Score of one run, of ``'val'`` or ``'test'``."""
        if kind == 'test':
            return run.test.get(self.metric)
        return run.score(self.metric)

    def scores(self, kind: str) -> list[float]:
        """All known scores of the runs, of ``'val'`` or ``'test'``."""
        found = [self.score(run, kind) for run in self.runs]
        return [value for value in found if value is not None]

    def mean(self, kind: str) -> Optional[float]:
        """Mean score, percent."""
        scores = self.scores(kind)
        return mean(scores) if scores else None

    def deviation(self, kind: str) -> Optional[float]:
        """Standard deviation (n - 1) of the scores; of two runs or more."""
        scores = self.scores(kind)
        return stdev(scores) if len(scores) > 1 else None

    def gain(self, kind: str) -> Optional[Gain]:
        """Difference to the baseline.

        It is of pairs with one seed where two runs have one, or all that
        are scored; otherwise it is of the means.
        """
        own = self.mean(kind)
        if self.is_baseline or self.reference is None or own is None:
            return None
        pairs = self._differences(kind)
        if len(pairs) >= min(2, len(self.scores(kind))):
            deviation = stdev(pairs) if len(pairs) > 1 else None
            return Gain(mean(pairs), deviation, len(pairs))
        other = self.reference.mean(kind)
        return None if other is None else Gain(own - other, None, 0)

    def _differences(self, kind: str) -> list[float]:
        """Differences of the runs whose seed and split the baseline has."""
        if self.reference is None or self.has_other_split:
            return []
        base: dict[Optional[int], Optional[float]] = {
            run.seed: self.score(run, kind)
            # Of several runs of one seed the first.
            for run in reversed(self.reference.runs)
            if run.seed is not None
        }
        found = [
            (self.score(run, kind), base.get(run.seed)) for run in self.runs
        ]
        return [
            own - other
            for own, other in found
            if own is not None and other is not None
        ]


def compare_groups(
    runs: Sequence[Run], metric: str, baseline: Optional[Run] = None
) -> list[Group]:
    """Group runs by their config, those of a suite by method and split.

    Args:
        runs (Sequence[Run]): All runs.
        metric (str): The score that is compared.
        baseline (Run, optional): A run of the config or method that the
            others are compared with.

    Returns:
        list[Group]: In the order of the runs.
    """
    groups: dict[str, Group] = {}
    for run in runs:
        group = groups.setdefault(run.group, Group(run.group, [], metric))
        group.runs.append(run)
    for group in groups.values():
        other = own_baseline(group.runs[0], runs, baseline)
        group.reference = groups[other.group] if other else None
    return list(groups.values())
