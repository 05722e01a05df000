"""Reading and summarising the scores of a suite."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..class_tables import DEPLOYED, read_class_tables
from .suite_run import CLASS_IOUS, METRIC, TESTS, SuiteRun


def read_scores(folder: Path) -> dict[str, Any]:
    """Read the scores that tools/test.py wrote to its work folder.

    Args:
        folder (Path): Work folder of the test.

    Returns:
        dict: Scores of the latest test, by name.

    Raises:
        ValueError: If there are none, or the score of the deployed learner
            is missing or not finite.
    """
    latest = _latest(folder, '.json')
    if latest is None:
        raise ValueError(
            f'no TIMESTAMP/TIMESTAMP.json in {folder}: the config needs '
            "default_hooks.logger=dict(type='LoggerHook') to save its scores"
        )
    scores = json.loads(latest.read_text('utf-8'))
    if METRIC not in scores:
        raise ValueError(
            f'{latest} has no {METRIC}, the score of the deployed learner, '
            f'only {", ".join(scores)}. Set test_evaluator to an IoUMetric '
            'without a prefix, or to a LearnersIoUMetric'
        )
    if not math.isfinite(scores[METRIC]):
        raise ValueError(
            f'{latest} has {METRIC} {scores[METRIC]}: all pixels in the '
            'masks of test_dataloader are ignored'
        )
    return scores


def read_class_ious(folder: Path) -> dict[str, float]:
    """Read the IoU of each class from the log of tools/test.py.

    Args:
        folder (Path): Work folder of the test.

    Returns:
        dict: IoU of the deployed learner in percent, by class; empty if the
        metric printed no table.
    """
    log = _latest(folder, '.log')
    text = log.read_text('utf-8', errors='replace') if log else ''
    tables = read_class_tables(text.splitlines()).get('test', {})
    return tables.get(DEPLOYED, {}).get(METRIC.removeprefix('m'), {})


def _latest(folder: Path, suffix: str) -> Path | None:
    """File of the latest test, named like its folder by mmengine."""
    found = folder.glob(f'*/*{suffix}')
    files = [path for path in found if path.stem == path.parent.name]
    return max(files, key=lambda path: path.name, default=None)


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds.

    Args:
        values (Sequence[float]): At least one value.

    Returns:
        dict: `mean`, `std` (None for a single value) and `count`.
    """
    std = statistics.stdev(values) if len(values) > 1 else None
    return dict(mean=statistics.fmean(values), std=std, count=len(values))


def collect_results(
    runs: Iterable[SuiteRun], baseline: str | None = None
) -> list[dict]:
    """Collect the rows of the table, one per method and split.

    Args:
        runs (Iterable[SuiteRun]): Runs, finished or not. A run made with
            other settings counts as not started.
        baseline (str, optional): Method that others are compared with.

    Returns:
        list[dict]: Rows in the order of the runs, with the record of each
        run (status 'failed' if its last attempt failed). They hold
        :func:`summarise` of the mIoU of each learner, the iterations and
        the training time in seconds under `summary`; of the mIoU of the
        best checkpoints under `best_summary`; of :func:`gains` under
        `gain`, None if there are none; and of the IoU of each class and its
        gain under `class_summary` and `class_gain`.
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
        sum_up(row)
    for row in rows.values():
        base = rows.get((str(baseline), row['split']))
        values = gains(row, base) if base and base is not row else []
        row['gain'] = summarise(values) if values else None
        row['class_gain'] = (
            _class_gains(row, base) if base and base is not row else {}
        )
    return list(rows.values())


def sum_up(row: dict) -> None:
    """Set the summaries of a row from its runs.

    Args:
        row (dict): Row of :func:`collect_results`; changed in place.
    """
    done = [run for run in row['runs'] if run['status'] == 'finished']
    extent = {
        key: [run[key] for run in done]
        for key in ('iterations', 'seconds')
        if done
    }
    values = _scores(done, 'last') | extent
    row['summary'] = {key: summarise(v) for key, v in values.items()}
    row['best_summary'] = {
        key: summarise(v) for key, v in _scores(done, 'best').items()
    }
    row['class_summary'] = _by_class([run.get(CLASS_IOUS, {}) for run in done])


def gains(row: dict, baseline: dict, scores: str = 'scores') -> list[float]:
    """Gain of a method over another one, for every seed that both have.

    The seed selects the labels, so differences between runs with the same
    seed vary less than the scores do.

    Args:
        row (dict): Row of :func:`collect_results`.
        baseline (dict): Row of the other method on the same split.
        scores (str): 'scores', of the last checkpoints, or 'best_scores'.
            Defaults to 'scores'.

    Returns:
        list[float]: Differences in mIoU, in the order of the row's runs.
    """
    return [
        own[METRIC] - other[METRIC]
        for own, other in _pairs(row, baseline, scores)
    ]


def _class_gains(row: dict, baseline: dict) -> dict[str, dict]:
    """:func:`summarise` of the difference in IoU, by class."""
    return _by_class(
        [
            {name: own[name] - other[name] for name in own if name in other}
            for own, other in _pairs(row, baseline, CLASS_IOUS)
        ]
    )


def _pairs(row: dict, baseline: dict, key: str) -> list[tuple[dict, dict]]:
    """Both methods' records under a key, for each seed that both have."""
    own, other = (
        {
            record['seed']: record[key]
            for record in each['runs']
            if record['status'] == 'finished' and key in record
        }
        for each in (row, baseline)
    )
    return [(own[seed], other[seed]) for seed in own if seed in other]


def _by_class(tables: Sequence[dict[str, float]]) -> dict[str, dict]:
    """:func:`summarise` of each class, over the runs that have it."""
    names = dict.fromkeys(name for table in tables for name in table)
    return {
        name: summarise([table[name] for table in tables if name in table])
        for name in names
    }


def _scores(records: Iterable[dict], checkpoint: str) -> dict[str, list]:
    """The mIoU of each learner in the runs that tested a checkpoint."""
    values: dict[str, list] = {}
    for record in records:
        for name, score in record.get(TESTS[checkpoint][1], {}).items():
            if name.split('/')[-1] == METRIC:
                values.setdefault(name, []).append(score)
    return values


def _record(run: SuiteRun) -> dict:
    """Record of a run; as not started if the one on disk is another run."""
    record = run.record
    try:
        run.check_settings()
    except ValueError:
        record = {}
    identity = dict(method=run.method, split=run.split, seed=run.seed)
    found = identity | run.settings | dict(status=None) | record
    if 'failure' in found and found['status'] != 'finished':
        # Readers need not know which steps remain; the suite does.
        found['status'] = 'failed'
    return found
