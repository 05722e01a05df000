"""Times of one side of a comparison."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Timing:
    """Times of one side, round by round.

    Attributes:
        wall: Elapsed time of each round, seconds; on a GPU between two
            events.
        cpu: Time that this process had the processor, all threads added
            up, seconds. Other processes disturb it less.
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
        """Median over the rounds of this side's time over the other's.

        Taken round by round, so that a machine that grows slower or faster
        in the course of a run changes nothing.

        Args:
            other (Timing): The side to compare with, of the same rounds.
            clock (str): ``'wall'`` or ``'cpu'``.
        """
        return statistics.median(
            mine / max(theirs, 1e-9)
            for mine, theirs in zip(
                getattr(self, clock), getattr(other, clock)
            )
        )
