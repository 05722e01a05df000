"""Class ids from mask images in any usual encoding."""

from pathlib import Path
from typing import Optional

import numpy as np
from PIL import Image

from .colour_table import ColourTable
from .counted import counted

# MANY unknown colours that differ from known ones by at most NEAR in each
# channel are a sign of compression or smoothing, which leave dozens at edges.
NEAR = 24
MANY = 8


def _codes(colours: np.ndarray) -> np.ndarray:
    """One integer per RGB colour, (...)."""
    wide = colours.astype(np.int64)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _about_unknown(codes: np.ndarray, table: ColourTable) -> str:
    """Advice on colours that are not in the table.

    Args:
        codes (np.ndarray): The colours, the most frequent first, (R,).
        table (ColourTable): The table.
    """
    # The most frequent ones suffice; noise may have thousands of colours.
    codes = codes[:1000]
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    distance = np.abs(colours[:, None] - table.colours.astype(np.int64))
    near = (distance.max(axis=2).min(axis=1) <= NEAR).sum()
    if near >= MANY:
        return (
            'Many are close to those of the table, a sign of JPEG compression '
            'or smoothing. Store masks without loss'
        )
    red, green, blue = colours[0].tolist()
    each = ', and one for each other' if len(codes) > 1 else ''
    return (
        f'Add a row to the table with r={red}, g={green}, b={blue}{each}, and '
        'the name of the class, or the name ignore for ignored pixels'
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

    The ids are the values of grey masks and the palette indices of palette
    masks. With a colour table every mask is read as RGB, a grey value g as
    (g, g, g), which also serves black-and-white masks.

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
                f'{path} has mode {mode}, but a colour table needs 8-bit masks'
            )
        try:
            return decode_colours(array, table)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
    if mode in _COLOUR:
        raise ValueError(
            f'{path} is coloured (mode {mode}). Give a colour table with the '
            'class of each colour'
        )
    if mode not in _GREY:
        raise ValueError(
            f'{path} has mode {mode}, but must have one of '
            f'{", ".join(_GREY + _COLOUR)}'
        )
    if array.size and (array.min() < 0 or array.max() > 255):
        raise ValueError(
            f'{path} holds ids from {array.min()} to {array.max()}, but ids '
            'must be 0 to 255'
        )
    return array.astype(np.uint8)
