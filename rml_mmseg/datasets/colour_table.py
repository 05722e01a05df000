"""Tables that map colours to classes."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

IGNORED_NAMES = (
    'ignore',
    '_ignore_',
    '__ignore__',
    'void',
    'unlabelled',
    'unlabeled',
)
"""Names, in lower case, of classes whose pixels are ignored."""


def _first_id(ignore_index: int) -> int:
    """Id of the first class: 1 where 0 is ignored."""
    return int(ignore_index == 0)


class ColourTable(NamedTuple):
    """Mapping from colours to classes.

    Attributes:
        colours (np.ndarray): RGB colours, uint8 (R, 3), no two equal.
        ids (np.ndarray): Class id of each colour, int64 (R,).
        names (tuple[str]): Name of each colour's class.
    """

    colours: np.ndarray
    ids: np.ndarray
    names: tuple[str, ...]

    def class_names(self, ignore_index: int = 255) -> tuple[str, ...]:
        """Names of the classes in the order of their ids.

        Args:
            ignore_index (int): Id of ignored pixels; 255 is always ignored,
                too. With 0, class ids start at 1. Defaults to 255.

        Raises:
            ValueError: If the ids leave a gap.
        """
        names = {
            int(number): name
            for number, name in zip(self.ids, self.names)
            if number not in (ignore_index, 255)
        }
        first = _first_id(ignore_index)
        if sorted(names) != list(range(first, first + len(names))):
            raise ValueError(
                f'the ids of a colour table must be {first}, {first + 1}, '
                f'{first + 2}, ... without gaps, but are {sorted(names)}'
            )
        return tuple(names[number] for number in sorted(names))

    def palette(self, ignore_index: int = 255) -> list[list[int]]:
        """RGB colour of each class; the first where a class has several.

        Args:
            ignore_index (int): Id of ignored pixels. Defaults to 255.
        """
        count = len(self.class_names(ignore_index))
        first = _first_id(ignore_index)
        return [
            self.colours[np.flatnonzero(self.ids == number)[0]].tolist()
            for number in range(first, first + count)
        ]


def _csv_rows(text: str) -> list[dict[str, Any]]:
    rows = []
    for row in csv.DictReader(text.splitlines(), skipinitialspace=True):
        colour = [row.get(channel) for channel in 'rgb']
        rows.append(
            dict(name=row.get('name'), color=colour, id=row.get('id') or None)
        )
    return rows


def _json_rows(text: str) -> list[dict[str, Any]]:
    table = json.loads(text)
    if isinstance(table, dict):
        return [
            dict(name=name, color=colour) for name, colour in table.items()
        ]
    return [dict(row) for row in table]


def read_colour_table(path: Path, ignore_index: int = 255) -> ColourTable:
    """Read a colour table.

    A CSV file has a header with the columns name, r, g, b and optionally id.
    A JSON file is either ``{"road": [128, 64, 128], ...}`` or a list of
    ``{"name": "road", "color": [128, 64, 128], "id": 0}``. Without ids,
    classes are numbered from 0, or from 1 where 0 is ignored. Rows named by
    one of the ``IGNORED_NAMES`` are ignored and not numbered; rows of the
    same name are colours of the same class.

    Args:
        path (Path): File ending in .csv or .json.
        ignore_index (int): Id of ignored pixels. Defaults to 255.

    Returns:
        ColourTable: Rows in the file's order.

    Raises:
        ValueError: If the file is not such a table, a colour is not three
            values from 0 to 255, an id is not an integer from 0 to 255, a
            colour occurs twice or a name has two ids.
    """
    text = path.read_text('utf-8-sig')
    try:
        is_json = path.suffix.lower() == '.json'
        rows = _json_rows(text) if is_json else _csv_rows(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path} is not a colour table: {error}') from error
    if not rows:
        raise ValueError(f'{path} holds no colour')
    colours: list[list[int]] = []
    ids: list[int] = []
    names: list[str] = []
    upcoming = _first_id(ignore_index)
    for number, row in enumerate(rows, start=1):
        name = str(row.get('name') or '')
        if not name:
            raise ValueError(
                f'{path}: row {number} has no name; the first line of a CSV '
                'must be name,r,g,b or name,r,g,b,id'
            )
        try:
            colour = [int(value) for value in row['color']]
            class_id = None if row.get('id') is None else int(row['id'])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path}: {name!r} needs a colour of three integers (columns '
                f'r, g, b, or "color" in JSON) and an integer id, but is '
                f'{row}'
            ) from error
        if class_id is None and name.lower() in IGNORED_NAMES:
            class_id = ignore_index
        elif class_id is None and name in names:
            class_id = ids[names.index(name)]
        elif class_id is None:
            class_id = upcoming
            upcoming += 1
        if len(colour) != 3 or not all(0 <= c <= 255 for c in colour):
            raise ValueError(
                f'{path}: the colour of {name!r} must be three values from 0 '
                f'to 255, but is {colour}'
            )
        if not 0 <= class_id <= 255:
            raise ValueError(
                f'{path}: the id of {name!r} must be 0 to 255, but is '
                f'{class_id}'
            )
        if colour in colours:
            other = names[colours.index(colour)]
            raise ValueError(
                f'{path}: {other!r} and {name!r} have the same colour {colour}'
            )
        if name in names and class_id != ids[names.index(name)]:
            raise ValueError(
                f'{path}: {name!r} has the ids {ids[names.index(name)]} and '
                f'{class_id}; give one id to all colours of a class'
            )
        colours.append(colour)
        ids.append(class_id)
        names.append(name)
    return ColourTable(
        np.array(colours, dtype=np.uint8), np.array(ids), tuple(names)
    )
