"""Per-class scores from a log, to which mmseg's metric prints them."""

import math
import re
from collections.abc import Iterable

DEPLOYED = ''
"""Name of the deployed learner, whose table has no heading."""
Scores = dict[str, dict[str, dict[str, float]]]

_HEADING = re.compile(r'- INFO - ((?:students|teachers)\.\d+|ensemble):\s*$')
_END = re.compile(r'- INFO - (?:Epoch|Iter)\((val|test)\)\s+\[(\d+)/(\d+)\]')


def read_class_tables(lines: Iterable[str]) -> dict[str, Scores]:
    """Read the last tables of a log.

    Args:
        lines (Iterable[str]): Lines of the log.

    Returns:
        dict: Percent, by ``'val'`` or ``'test'``, then by learner (``''``
        for the deployed one), metric and class.
    """
    found: dict[str, Scores] = {}
    tables: Scores = {}
    learner, header = DEPLOYED, None
    for line in lines:
        heading, end = _HEADING.search(line), _END.search(line)
        if heading:
            learner = heading[1]
        elif end and end[2] == end[3] and tables:
            found[end[1]] = tables
            tables, learner = {}, DEPLOYED
        elif 'per class results' in line:
            header = None
        elif line.startswith('|'):
            cells = [cell.strip() for cell in line.strip()[1:-1].split('|')]
            if cells[0] == 'Class':
                header = cells[1:]
            elif header:
                _add_row(tables.setdefault(learner, {}), cells, header)
    return found


def _add_row(
    table: dict[str, dict[str, float]], cells: list[str], header: list[str]
) -> None:
    """Add the row of one class, whose name may contain the separator."""
    values = cells[-len(header) :]
    name = '|'.join(cells[: -len(header)])
    for metric, value in zip(header, values):
        try:
            score = float(value)
        except ValueError:
            continue
        # A class that is in no image has no score.
        if not math.isnan(score):
            table.setdefault(metric, {})[name] = score
