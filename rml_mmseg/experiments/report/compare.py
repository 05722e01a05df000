"""Groups of runs of the same method, compared with a baseline."""

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

    They should differ only in their seeds.

    Attributes:
        name: Name of the config, or method and split.
        runs: Its runs.
        metric: Score to compare, such as ``'mIoU'``.
        reference: Group that it is compared with; itself if it is the
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
        """list[str]: Settings that differ, except seeds and image lists."""
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
        # Runs without a set seed draw one each.
        return [s for s, n in counts.items() if s is not None and n > 1]

    @property
    def seed_warning(self) -> str:
        """str: Warning about repeated seeds, '' if there are none."""
        if not self.repeated_seeds:
            return ''
        seeds = ', '.join(map(str, self.repeated_seeds))
        names = ', '.join(
            run.name for run in self.runs if run.seed in self.repeated_seeds
        )
        return (
            f'{self.name} has several runs of seed {seeds} ({names}), so its '
            'mean is not over seeds: to keep runs apart, give their configs '
            'different names'
        )

    def score(self, run: Run, kind: str) -> Optional[float]:
        """Score of one run; ``kind`` is ``'val'`` or ``'test'``."""
        if kind == 'test':
            return run.test.get(self.metric)
        return run.score(self.metric)

    def scores(self, kind: str) -> list[float]:
        """Known scores of the runs; ``kind`` is ``'val'`` or ``'test'``."""
        found = [self.score(run, kind) for run in self.runs]
        return [value for value in found if value is not None]

    def mean(self, kind: str) -> Optional[float]:
        """Mean score, percent."""
        scores = self.scores(kind)
        return mean(scores) if scores else None

    def deviation(self, kind: str) -> Optional[float]:
        """Sample standard deviation of the scores; None below two runs."""
        scores = self.scores(kind)
        return stdev(scores) if len(scores) > 1 else None

    def gain(self, kind: str) -> Optional[Gain]:
        """Difference to the baseline, if any.

        It is taken over pairs of runs with the same seed if there are two,
        or if the only scored run has one; else between the means.
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
        """Differences to the baseline's runs of the same split and seed."""
        if self.reference is None or self.has_other_split:
            return []
        base: dict[Optional[int], Optional[float]] = {
            run.seed: self.score(run, kind)
            # Reversed, so that the first of several runs of one seed counts.
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
        metric (str): Score to compare.
        baseline (Run, optional): A run of the config or method that the
            others are compared with.

    Returns:
        list[Group]: Groups in the order of the runs.
    """
    groups: dict[str, Group] = {}
    for run in runs:
        group = groups.setdefault(run.group, Group(run.group, [], metric))
        group.runs.append(run)
    for group in groups.values():
        other = own_baseline(group.runs[0], runs, baseline)
        group.reference = groups[other.group] if other else None
    return list(groups.values())
