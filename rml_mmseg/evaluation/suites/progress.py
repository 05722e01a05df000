"""How far runs are, and how long they will take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# What PseudoLabelMonitorHook tells of a run, with masks of the unlabelled
# images and with two learners: the mIoU of the first learner's labels, made by
# its teacher or, where students label, by itself; the two learners' distance.
CURVES = dict(
    labels=('monitor/teachers.0/mIoU', 'monitor/students.0/mIoU'),
    coupling=('monitor/total_variation',),
)


class Progress(NamedTuple):
    """How far a run is.

    Args:
        method (str): Name of its method.
        target (int, optional): Iterations to train for, if known.
        done (int): Iterations done.
        measured (int): Iterations whose time is known.
        seconds (float): Time that these took.
    """

    method: str
    target: int | None
    done: int = 0
    measured: int = 0
    seconds: float = 0.0


def training_logs(folder: Path) -> set[Path]:
    """Logs of mmengine in a work folder, one a start of the training.

    Args:
        folder (Path): Work folder.
    """
    return set(folder.glob('*/vis_data/scalars.json'))


def last_iteration(logs: Iterable[Path]) -> int:
    """The last iteration that some logs tell.

    Args:
        logs (Iterable[Path]): Logs of :func:`training_logs`.

    Returns:
        int: Iterations done, 0 where none tells.
    """
    entries = map(_entries, logs)
    return max(
        (
            max(scalars.get('iter', 0), scalars.get('step', 0))
            for log in entries
            for scalars in log
        ),
        default=0,
    )


def validation_scores(logs: Iterable[Path], name: str) -> dict[int, float]:
    """Scores of a training's validations by iteration, in order.

    Args:
        logs (Iterable[Path]): Logs of :func:`training_logs`.
        name (str): Name of the score.
    """
    found = {
        scalars['step']: scalars[name]
        for path in sorted(logs)
        for scalars in _entries(path)
        # Scalars of training have an iteration, and losses of any name.
        if name in scalars and 'step' in scalars and 'iter' not in scalars
    }
    return dict(sorted(found.items()))


def training_curve(logs: Iterable[Path], name: str) -> dict[int, float]:
    """Values of a scalar of training by iteration, in order.

    Args:
        logs (Iterable[Path]): Logs of :func:`training_logs`; where
            iterations meet, the later log counts.
        name (str): Name of the scalar, without ``train/``.
    """
    found = {
        scalars['step']: scalars[name]
        for path in sorted(logs)
        for scalars in _entries(path)
        if name in scalars and 'iter' in scalars and 'step' in scalars
    }
    return dict(sorted(found.items()))


def monitor_curves(logs: Iterable[Path]) -> dict[str, dict[int, float]]:
    """Curves of a training that a monitor watched.

    Args:
        logs (Iterable[Path]): Logs of :func:`training_logs`.

    Returns:
        dict: By iteration, what there is of ``labels``, the mIoU in [0, 1]
        of the first learner's pseudo labels, and ``coupling``, the total
        variation of two learners.
    """
    paths = list(logs)
    curves = {}
    for curve, names in CURVES.items():
        found = (training_curve(paths, name) for name in names)
        curves[curve] = next(filter(None, found), {})
    return {name: curve for name, curve in curves.items() if curve}


def _entries(path: Path) -> Iterator[dict]:
    """What a log holds, line by line."""
    for line in path.read_text('utf-8').splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue  # cut off by a kill, or being written


def remaining_seconds(progress: Sequence[Progress], jobs: int) -> float | None:
    """Time until all runs have trained.

    Iterations take as long as those of the run did, or of its method, or of
    all, whichever is known first.

    Args:
        progress (Sequence[Progress]): All runs, finished ones too.
        jobs (int): Number of runs at a time.

    Returns:
        float | None: Seconds, None where nothing is known yet.
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
    """Seconds of an iteration."""
    known = [run for run in progress if run.measured > 0]
    if not known:
        return None
    return sum(run.seconds for run in known) / sum(r.measured for r in known)
