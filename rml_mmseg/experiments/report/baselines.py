"""Choice of the run that another one is compared with."""

from collections.abc import Sequence
from typing import Optional

from .run import Run


def own_baseline(
    run: Run, runs: Sequence[Run], baseline: Optional[Run]
) -> Optional[Run]:
    """Baseline run that a run is best compared with.

    The seed selects the labels, so runs of one seed differ less by chance.

    Args:
        run (Run): The run.
        runs (Sequence[Run]): All runs.
        baseline (Run, optional): A run of the baseline's config or method.

    Returns:
        Run or None: The baseline's run with the same split and seed (for
        ``baseline``, itself), else one with the same split, else
        ``baseline``; None without one.
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
