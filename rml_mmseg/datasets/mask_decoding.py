"""Class ids out of mask images of any usual coding."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from PIL import Image

from .counted import counted

IGNORED_NAMES = (
    'ignore',
    '_ignore_',
    '__ignore__',
    'void',
    'unlabelled',
    'unlabeled',
)
"""Names, in lower case, whose pixels are not learnt from."""
# So many unknown colours that differ by so little in each channel are a sign
# of compression or smoothing, which leave dozens at the edges.
NEAR = 24
MANY = 8


def _first_id(ignore_index: int) -> int:
    """Id of the first class: 1 where 0 is ignored."""
    return int(ignore_index == 0)


class ColourTable(NamedTuple):
    """Which colour stands for which class.

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
            ignore_index (int): Id of ignored pixels, of which 255 are, too.
                With 0 the classes count from 1. Defaults to 255.

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
    ``{"name": "road", "color": [128, 64, 128], "id": 0}``. Without ids the
    rows count up from 0, or from 1 where 0 is ignored; rows with one of the
    ``IGNORED_NAMES`` are ignored and not counted, and rows of one name are
    colours of one class.

    Args:
        path (Path): File ending in .csv or .json.
        ignore_index (int): Id of ignored pixels. Defaults to 255.

    Returns:
        ColourTable: Rows in the file's order.

    Raises:
        ValueError: If the file is no such table, a colour is not three
            values from 0 to 255, an id is no integer from 0 to 255, a
            colour stands twice or a name has two ids.
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
                f'{path}: {name!r} needs three integers as colour (columns '
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


def _codes(colours: np.ndarray) -> np.ndarray:
    """One integer per RGB colour, (...)."""
    wide = colours.astype(np.int64)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _about_unknown(codes: np.ndarray, table: ColourTable) -> str:
    """What to do about colours that are not in the table.

    Args:
        codes (np.ndarray): The colours, the most frequent first, (R,).
        table (ColourTable): The table.
    """
    # The most frequent ones tell, and of noise there may be thousands.
    codes = codes[:1000]
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    distance = np.abs(colours[:, None] - table.colours.astype(np.int64))
    near = (distance.max(axis=2).min(axis=1) <= NEAR).sum()
    if near >= MANY:
        return (
            'Many are nearly those of the table, a sign of JPEG compression '
            'or smoothing; masks must be stored without loss'
        )
    red, green, blue = colours[0].tolist()
    each = ', and one for each other' if len(codes) > 1 else ''
    return (
        f'Add a row to the table with r={red}, g={green}, b={blue}{each}, and '
        'the name of the class, or the name ignore for pixels that are not '
        'learnt from'
    )


def decode_colours(image: np.ndarray, table: ColourTable) -> np.ndarray:
    """Class ids of an RGB-coded mask.

    Args:
        image (np.ndarray): uint8 (H, W, 3).
        table (ColourTable): What the colours mean.

    Returns:
        np.ndarray: Class ids, uint8 (H, W).

    Raises:
        ValueError: If the mask holds colours that are not in the table.
    """
    known = _codes(table.colours)
    order = np.argsort(known)
    codes = _codes(image)
    place = np.searchsorted(known[order], codes).clip(max=len(known) - 1)
    unknown = known[order][place] != codes
    if unknown.any():
        found, counts = np.unique(codes[unknown], return_counts=True)
        common = np.argsort(-counts, kind='stable')[:3]
        examples = ', '.join(
            f'({code >> 16}, {code >> 8 & 255}, {code & 255}) in {count} '
            'pixels'
            for code, count in zip(found[common], counts[common])
        )
        number = counted(found.size, 'colour is', 'colours are')
        raise ValueError(
            f'{number} not in the colour table: {examples}. '
            f'{_about_unknown(found[np.argsort(-counts)], table)}'
        )
    return table.ids[order][place].astype(np.uint8)


_GREY = ('1', 'L', 'P', 'I', 'I;16', 'I;16B')
_COLOUR = ('RGB', 'RGBA')


def read_mask(path: Path, table: Optional[ColourTable] = None) -> np.ndarray:
    """Class ids of a mask file.

    Grey masks hold the ids themselves and palette masks the indices of
    their palette. With a colour table every mask counts as RGB, a grey value
    g as (g, g, g), which also serves black-and-white masks.

    Args:
        path (Path): Image file.
        table (ColourTable, optional): What colours mean. Defaults to None.

    Returns:
        np.ndarray: Class ids, uint8 (H, W).

    Raises:
        ValueError: If the file cannot be read, is coloured without a table,
            or holds ids above 255 or colours that are not in the table.
    """
    try:
        with Image.open(path) as file:
            mode = file.mode
            if table is not None and mode in ('1', 'L', 'P', *_COLOUR):
                array = np.asarray(file.convert('RGB'))
            else:
                array = np.asarray(file)
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    if table is not None:
        if array.ndim != 3:
            raise ValueError(
                f'{path} has the mode {mode}, but with a colour table 8-bit '
                'masks are needed'
            )
        try:
            return decode_colours(array, table)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
    if mode in _COLOUR:
        raise ValueError(
            f'{path} is coloured (mode {mode}); a colour table must say '
            'which class each colour is'
        )
    if mode not in _GREY:
        raise ValueError(
            f'{path} has the mode {mode}, but one of '
            f'{", ".join(_GREY + _COLOUR)} is needed'
        )
    if array.size and (array.min() < 0 or array.max() > 255):
        raise ValueError(
            f'{path} holds ids from {array.min()} to {array.max()}, but ids '
            'must be 0 to 255'
        )
    return array.astype(np.uint8)
