"""Times of one side of a comparison."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Timing:
    """Times of one side, round by round.

    Attributes:
        wall: Wall-clock time of each round, seconds; on a GPU between two
            events.
        cpu: CPU time of this process in each round, summed over threads,
            seconds. Other processes disturb it less.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def median(self, clock: str = 'wall') -> float:
        """Median of the rounds, seconds.

        Args:
            clock (str): ``'wall'`` or ``'cpu'``.
        """
        return statistics.median(getattr(self, clock))

    def over(self, other: 'Timing', clock: str = 'wall') -> float:
        """Median over rounds of the ratio of this time to the other's.

        The ratio is taken round by round, so that a machine that becomes
        slower or faster during a run does not matter.

        Args:
            other (Timing): The side to compare with, in the same rounds.
            clock (str): ``'wall'`` or ``'cpu'``.
        """
        return statistics.median(
            mine / max(theirs, 1e-9)
            for mine, theirs in zip(
                getattr(self, clock), getattr(other, clock)
            )
        )
