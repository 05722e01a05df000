"""The scores of a suite, read and summed up."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .suite_run import METRIC, TESTS, SuiteRun


def read_scores(folder: Path) -> dict[str, Any]:
    """Scores that tools/test.py left in its work folder.

    Args:
        folder (Path): Work folder of the test.

    Returns:
        dict: Scores of the latest test, by name.

    Raises:
        ValueError: If there are none, or none of the deployed learner.
    """
    files = [p for p in folder.glob('*/*.json') if p.stem == p.parent.name]
    if not files:
        raise ValueError(
            f'no TIMESTAMP/TIMESTAMP.json in {folder}: the config needs '
            "default_hooks.logger=dict(type='LoggerHook') to leave its scores"
        )
    latest = max(files, key=lambda path: path.name)
    scores = json.loads(latest.read_text('utf-8'))
    if METRIC not in scores:
        raise ValueError(
            f'{latest} has no {METRIC}, the score of the deployed learner, '
            f'only {", ".join(scores)}: test_evaluator must be an IoUMetric '
            'without a prefix, or a LearnersIoUMetric'
        )
    return scores


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds.

    Args:
        values (Sequence[float]): At least one value.

    Returns:
        dict: `mean`, `std` (None of a single value) and `count`.
    """
    std = statistics.stdev(values) if len(values) > 1 else None
    return dict(mean=statistics.fmean(values), std=std, count=len(values))


def collect_results(runs: Iterable[SuiteRun]) -> list[dict]:
    """Rows of the table: the runs of each method and split together.

    Args:
        runs (Iterable[SuiteRun]): Runs, finished or not. One that was made
            with other settings counts as not finished.

    Returns:
        list[dict]: Rows in the order of the runs, with the record of each
        run and, under `summary`, :func:`summarise` of the mIoU of each
        learner, of the iterations and of the training time in seconds;
        under `best_summary` that of the mIoU of the best checkpoints.
    """
    rows: dict[tuple[str, str], dict] = {}
    for run in runs:
        row = rows.setdefault(
            (run.method, run.split),
            dict(
                method=run.method,
                title=run.title,
                split=run.split,
                config=run.config,
                runs=[],
            ),
        )
        row['runs'].append(_record(run))
    for row in rows.values():
        done = [r for r in row['runs'] if r['status'] == 'finished']
        extent = {
            key: [record[key] for record in done]
            for key in ('iterations', 'seconds')
            if done
        }
        values = _scores(done, 'last') | extent
        row['summary'] = {key: summarise(v) for key, v in values.items()}
        row['best_summary'] = {
            key: summarise(v) for key, v in _scores(done, 'best').items()
        }
    return list(rows.values())


def _scores(records: Iterable[dict], checkpoint: str) -> dict[str, list]:
    """The mIoU of each learner in the runs that tested a checkpoint."""
    values: dict[str, list] = {}
    for record in records:
        for name, score in record.get(TESTS[checkpoint][1], {}).items():
            if name.split('/')[-1] == METRIC:
                values.setdefault(name, []).append(score)
    return values


def _record(run: SuiteRun) -> dict:
    """Record of a run, of one that still has to begin where it is another."""
    record = run.record
    try:
        run.check_settings()
    except ValueError:
        record = {}
    identity = dict(method=run.method, split=run.split, seed=run.seed)
    return identity | run.settings | dict(status=None) | record
