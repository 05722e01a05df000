"""How far runs are, and how long they will take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..scalars import read_json_lines


class Progress(NamedTuple):
    """How far a run is.

    Args:
        method (str): Name of its method.
        target (int, optional): Iterations to train for, if known.
        done (int): Iterations done.
        measured (int): Iterations whose time is known.
        seconds (float): Time of these iterations and the tests after them.
    """

    method: str
    target: int | None
    done: int = 0
    measured: int = 0
    seconds: float = 0.0


def training_logs(folder: Path) -> set[Path]:
    """Logs of mmengine in a work folder, one per start of the training.

    Args:
        folder (Path): Work folder.
    """
    return set(folder.glob('*/vis_data/scalars.json'))


def last_iteration(logs: Iterable[Path]) -> int:
    """Last iteration in some logs.

    Args:
        logs (Iterable[Path]): Logs from :func:`training_logs`.

    Returns:
        int: Iterations done, 0 if no log has any.
    """
    entries = map(read_json_lines, logs)
    return max(
        (
            max(scalars.get('iter', 0), scalars.get('step', 0))
            for log in entries
            for scalars in log
        ),
        default=0,
    )


def remaining_seconds(progress: Sequence[Progress], jobs: int) -> float | None:
    """Estimate the time until all runs have been trained and tested.

    The time per iteration, including its share of the tests, is that of the
    run so far, else of its method, else of all runs.

    Args:
        progress (Sequence[Progress]): All runs, finished ones too.
        jobs (int): Number of runs at a time.

    Returns:
        float | None: Seconds, None if nothing is known yet.
    """
    rest = []
    for run in progress:
        if run.target is not None and run.done >= run.target:
            continue
        same = (other for other in progress if other.method == run.method)
        pace = _pace([run]) or _pace(same) or _pace(progress)
        if run.target is None or pace is None:
            return None
        rest.append((run.target - run.done) * pace)
    return max(sum(rest) / jobs, max(rest)) if rest else 0.0


def _pace(progress: Iterable[Progress]) -> float | None:
    """Seconds per iteration, None if no run was measured."""
    known = [run for run in progress if run.measured > 0]
    if not known:
        return None
    return sum(run.seconds for run in known) / sum(r.measured for r in known)
