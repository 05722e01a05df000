"""The scores of a suite as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .suite_run import METRIC

LAST = (
    'Test mIoU of the last checkpoint in percent, first of the deployed '
    'learner, then of each learner.'
)
BEST = (
    '"Best" is the deployed learner of the checkpoint that was best on the '
    'validation images, which were held out and are not the test set.'
)
GAIN = (
    '"Gain" is the mean difference from {title} over the seeds that both have.'
)
CLASS_GAIN = (
    'In percent; with a sign, the mean difference from {title} over the seeds '
    'that both have.'
)
SPREAD = (
    'Mean ± sample standard deviation where there are several seeds. Time is '
    'that of training, including validation and work repeated after '
    'interruptions.'
)


def to_markdown(
    name: str, rows: Sequence[dict], baseline: str | None = None
) -> str:
    """Tables of a suite, followed by its runs, commits and commands.

    Args:
        name (str): Name of the suite.
        rows (Sequence[dict]): Rows of :func:`collect_results`.
        baseline (str, optional): Title of the method that they are compared
            with.
    """
    best = any(row['best_summary'] for row in rows)
    gain = GAIN.format(title=baseline) if baseline else ''
    notes = [LAST, BEST if best else '', gain, SPREAD]
    records = [record for row in rows for record in row['runs']]
    begun = [record for record in records if record['status'] is not None]
    commits = sorted({c for r in records for c in r.get('commits', [])})
    commands = [line for r in records for line in r.get('commands', [])]
    return '\n'.join(
        [
            *(f'# {name}', ''),
            ' '.join(note for note in notes if note),
            *('', *_table(rows, _row_columns(rows, best, bool(gain))), ''),
            *_class_lines(rows, baseline),
            *('## Runs', '', *_table(begun, _run_columns(rows, best)), ''),
            f'Git commits: {", ".join(commits) or "none"}',
            *('', '```sh', *commands, '```', ''),
        ]
    )


Columns = dict[str, Callable[[Any], str]]


def _table(rows: Iterable[Any], columns: Columns) -> list[str]:
    """Lines of a table; each column maps a row to its cell."""
    lines = [_line(columns), _line('---' for _ in columns)]
    return lines + [
        _line(column(row) for column in columns.values()) for row in rows
    ]


def _class_lines(rows: Sequence[dict], baseline: str | None) -> list[str]:
    """Tables of the IoU of each class, one per split, where known."""
    lines = []
    for split in dict.fromkeys(row['split'] for row in rows):
        shown = [
            row
            for row in rows
            if row['split'] == split and row['class_summary']
        ]
        names = dict.fromkeys(c for row in shown for c in row['class_summary'])
        columns: Columns = {'Class': str}
        for row in shown:
            columns[row['title']] = _class_column(row)
        if names:
            heading = f'## IoU by class{split and f", {split}"}'
            lines += [heading, '', *_table(names, columns), '']
    if lines and baseline:
        lines[2:2] = [CLASS_GAIN.format(title=baseline), '']
    return lines


def _class_column(row: dict) -> Callable[[str], str]:
    """Class gains of a method, or its IoUs if it has no gains."""
    gain = row['class_gain']
    values, sign = (gain, '+') if gain else (row['class_summary'], '')
    return lambda name: _mean(values.get(name), sign=sign, digits=1)


def _row_columns(rows: Sequence[dict], best: bool, gain: bool) -> Columns:
    """Columns of the means over seeds."""
    columns: Columns = {'Method': lambda row: row['title']}
    if any(row['split'] for row in rows):
        columns['Split'] = lambda row: row['split']
    columns['mIoU'] = lambda row: _mean(row['summary'].get(METRIC))
    if best:
        columns['Best'] = lambda row: _mean(row['best_summary'].get(METRIC))
    if gain:
        columns['Gain'] = lambda row: _mean(row['gain'], sign='+')
    for learner in _learners(rows):
        columns[learner] = _learner_column(f'{learner}/{METRIC}')
    columns['Iterations'] = lambda row: _mean(
        row['summary'].get('iterations'), digits=0
    )
    columns['Time (min)'] = lambda row: _mean(
        row['summary'].get('seconds'), scale=1 / 60, digits=1
    )
    columns['Seeds'] = _seeds
    return columns


def _run_columns(rows: Sequence[dict], best: bool) -> Columns:
    """Columns of single runs."""
    titles = {row['method']: row['title'] for row in rows}
    columns: Columns = {'Method': lambda run: titles[run['method']]}
    if any(row['split'] for row in rows):
        columns['Split'] = lambda run: run['split']
    columns['Seed'] = lambda run: str(run['seed'])
    columns['mIoU'] = lambda run: _score(run.get('scores', {}).get(METRIC))
    if best:
        columns['Best'] = lambda run: _score(
            run.get('best_scores', {}).get(METRIC)
        )
        columns['Best at'] = lambda run: str(run.get('best_iteration', '–'))
        columns['Validation at best'] = lambda run: _score(
            run.get('validation', {}).get(str(run.get('best_iteration')))
        )
    columns['Iterations'] = lambda run: str(run.get('iterations', '–'))
    columns['Time (s)'] = lambda run: _score(run.get('seconds'), digits=0)
    if any('failure' in run for row in rows for run in row['runs']):
        columns['Failed'] = lambda run: run.get('failure', '')
    return columns


def _learner_column(key: str) -> Callable[[dict], str]:
    return lambda row: _mean(row['summary'].get(key))


def _seeds(row: dict) -> str:
    """Number of finished runs, of all runs if more, and of failed ones."""
    states = [record['status'] for record in row['runs']]
    done, failed = states.count('finished'), states.count('failed')
    text = str(done) if done == len(states) else f'{done} of {len(states)}'
    return f'{text}, {failed} failed' if failed else text


def _learners(rows: Iterable[dict]) -> list[str]:
    """Names of all learners, in the order of the row with the most."""
    suffix = f'/{METRIC}'
    found = [
        [k[: -len(suffix)] for k in row['summary'] if k.endswith(suffix)]
        for row in rows
    ]
    found.sort(key=len, reverse=True)
    return list(dict.fromkeys(name for names in found for name in names))


def _mean(
    summary: dict[str, Any] | None,
    scale: float = 1.0,
    digits: int = 2,
    sign: str = '',
) -> str:
    if summary is None:
        return '–'
    # Adding 0.0 turns -0.0 into 0.0.
    mean = round(summary['mean'] * scale, digits) + 0.0
    text = f'{mean:{sign}.{digits}f}'
    if summary['std'] is not None and not (digits == 0 and not summary['std']):
        text += f' ± {summary["std"] * scale:.{digits}f}'
    return text


def _score(value: float | None, digits: int = 2) -> str:
    return '–' if value is None else f'{value:.{digits}f}'


def _cell(text: str) -> str:
    """Escape text so that nothing in it ends a cell or a line."""
    return ' '.join(text.split()).replace('|', '\\|')


def _line(cells: Iterable[str]) -> str:
    return f'| {" | ".join(map(_cell, cells))} |'
