"""What runs have more than the baseline."""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Gain:
    """Difference of a score to the baseline, over several runs.

    Attributes:
        mean: Mean difference.
        deviation: Standard deviation (n - 1) of the differences of two or
            more pairs.
        pairs: Pairs of runs with one seed; 0 for a difference of means.
    """

    mean: float
    deviation: Optional[float]
    pairs: int
