"""Which run another one is compared with."""

from collections.abc import Sequence
from typing import Optional

from .run import Run


def own_baseline(
    run: Run, runs: Sequence[Run], baseline: Optional[Run]
) -> Optional[Run]:
    """The run of the baseline that a run is best compared with.

    Labels follow the seed, so runs of one seed differ less by chance.

    Args:
        run (Run): The run.
        runs (Sequence[Run]): All runs.
        baseline (Run, optional): One of them, which names the baseline.

    Returns:
        Run or None: That of the same split and seed, else one of the same
        split, else the baseline; the run itself if it is a baseline.
    """
    if baseline is None:
        return None
    alike = [
        other
        for other in (baseline, *runs)
        if (other.method, other.split) == (baseline.method, run.split)
    ]
    same = [other for other in alike if other.seed == run.seed]
    return next(iter([*same, *alike, baseline]))
