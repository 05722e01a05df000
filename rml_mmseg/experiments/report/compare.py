"""Runs of the same config put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Optional

from rml_mmseg.engine.changed_settings import changed_settings

from .run import Run


@dataclass
class Group:
    """Runs of one config that differ in their seeds.

    Attributes:
        name: Name of the config.
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
    def has_one_seed(self) -> bool:
        """bool: Whether several runs have the same seed."""
        seeds = [run.seed for run in self.runs]
        return len(seeds) > 1 and len({*seeds}) == 1

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
    """Group runs by their config.

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
