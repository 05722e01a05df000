"""The scores of a suite, read and put in a table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .suite_run import SuiteRun

#: Score of the deployed learner; the others' is `LEARNER/mIoU`.
METRIC = 'mIoU'


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
        learner, of the iterations and of the training time in seconds.
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
        values: dict[str, list] = {}
        for record in done:
            for name, score in record['scores'].items():
                if name.split('/')[-1] == METRIC:
                    values.setdefault(name, []).append(score)
            values.setdefault('iterations', []).append(record['iterations'])
            values.setdefault('seconds', []).append(record['seconds'])
        row['summary'] = {key: summarise(v) for key, v in values.items()}
    return list(rows.values())


def _record(run: SuiteRun) -> dict:
    """Record of a run, of one that still has to begin where it is another."""
    record = run.record
    try:
        run.check_settings()
    except ValueError:
        record = {}
    identity = dict(method=run.method, split=run.split, seed=run.seed)
    return identity | run.settings | dict(status=None) | record


def to_markdown(name: str, rows: Sequence[dict]) -> str:
    """The table of a suite, and below it what made it.

    Args:
        name (str): Name of the suite.
        rows (Sequence[dict]): Rows of :func:`collect_results`.
    """
    learners = _learners(rows)
    splits = any(row['split'] for row in rows)
    head = ['Method', *(['Split'] if splits else []), 'mIoU', *learners]
    head += ['Iterations', 'Time (min)', 'Seeds']
    lines = [_line(head), _line('---' for _ in head)]
    for row in rows:
        summary = row['summary']
        keys = [METRIC, *(f'{learner}/{METRIC}' for learner in learners)]
        done = [r for r in row['runs'] if r['status'] == 'finished']
        count = f'{len(done)} of {len(row["runs"])}'
        lines.append(
            _line(
                [
                    row['title'],
                    *([row['split']] if splits else []),
                    *(_cell(summary.get(key)) for key in keys),
                    _cell(summary.get('iterations'), digits=0),
                    _cell(summary.get('seconds'), scale=1 / 60, digits=1),
                    str(len(done)) if len(done) == len(row['runs']) else count,
                ]
            )
        )
    records = [record for row in rows for record in row['runs']]
    commits = sorted({c for r in records for c in r.get('commits', [])})
    commands = [line for r in records for line in r.get('commands', [])]
    return '\n'.join(
        [
            *(f'# {name}', ''),
            'mIoU in percent on the test set, of the last checkpoint: first '
            'of the deployed learner, then of each learner. Mean ± sample '
            'standard deviation where there are several seeds. Time is that '
            'of training, with what had to be repeated after interruptions.',
            *('', *lines, ''),
            f'Git commits: {", ".join(commits) or "none"}',
            *('', '```sh', *commands, '```', ''),
        ]
    )


def _learners(rows: Iterable[dict]) -> list[str]:
    """Names of all learners, in the order of the row with the most."""
    suffix = f'/{METRIC}'
    found = [
        [k[: -len(suffix)] for k in row['summary'] if k.endswith(suffix)]
        for row in rows
    ]
    found.sort(key=len, reverse=True)
    return list(dict.fromkeys(name for names in found for name in names))


def _cell(summary: dict | None, scale: float = 1.0, digits: int = 2) -> str:
    if summary is None:
        return '–'
    text = f'{summary["mean"] * scale:.{digits}f}'
    if summary['std'] is not None and not (digits == 0 and not summary['std']):
        text += f' ± {summary["std"] * scale:.{digits}f}'
    return text


def _line(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'
