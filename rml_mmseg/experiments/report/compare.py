"""Runs of the same method put together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Optional

from rml_mmseg.engine.changed_settings import changed_settings

from .run import Run


@dataclass
class Group:
    """Runs of one config, or of one method and split of a suite.

    They should differ in nothing but their seeds.

    Attributes:
        name: Name of the config, or method and split.
        runs: Its runs.
        metric: The score that is compared, such as ``'mIoU'``.
        is_baseline: Whether the others are compared with it.
    """

    name: str
    runs: list[Run]
    metric: str
    is_baseline: bool = False

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

    def scores(self, kind: str) -> list[float]:
        """All known scores of the runs, of ``'val'`` or ``'test'``."""
        found = [
            (
                run.test.get(self.metric)
                if kind == 'test'
                else run.score(self.metric)
            )
            for run in self.runs
        ]
        return [value for value in found if value is not None]

    def mean(self, kind: str) -> Optional[float]:
        """Mean score, percent."""
        scores = self.scores(kind)
        return mean(scores) if scores else None

    def deviation(self, kind: str) -> Optional[float]:
        """Standard deviation (n - 1) of the scores; of two runs or more."""
        scores = self.scores(kind)
        return stdev(scores) if len(scores) > 1 else None


def compare_groups(
    runs: Sequence[Run], metric: str, baseline: Optional[Run] = None
) -> list[Group]:
    """Group runs by their config, those of a suite by method and split.

    Args:
        runs (Sequence[Run]): All runs.
        metric (str): The score that is compared.
        baseline (Run, optional): A run of the group that the others are
            compared with.

    Returns:
        list[Group]: In the order of the runs.
    """
    groups: dict[str, Group] = {}
    for run in runs:
        group = groups.setdefault(run.group, Group(run.group, [], metric))
        group.runs.append(run)
        group.is_baseline |= run is baseline
    return list(groups.values())
