"""Gain of runs over the baseline."""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Gain:
    """Difference of a score to the baseline, over several runs.

    Attributes:
        mean: Mean difference.
        deviation: Sample standard deviation of the differences; None below
            two pairs.
        pairs: Number of pairs of runs with the same seed; 0 for a difference
            of means.
    """

    mean: float
    deviation: Optional[float]
    pairs: int
