"""Names and colours of the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from .annotations import IGNORED


def read_class_names(classes: Optional[str]) -> Optional[tuple[str, ...]]:
    """Class names of the setting ``--classes``.

    Args:
        classes (str, optional): Names separated by commas, or a file with
            one a line.

    Raises:
        ValueError: If a name stands twice, or the file is missing.
    """
    if classes is None:
        return None
    path = Path(classes)
    is_file = path.is_file()
    if not is_file and path.suffix in ('.txt', '.csv'):
        raise ValueError(f'--classes: there is no file {classes}')
    text = path.read_text('utf-8') if is_file else classes
    parts = text.splitlines() if is_file else text.split(',')
    names = tuple(part.strip() for part in parts if part.strip())
    if len(set(names)) != len(names) or not names:
        raise ValueError(f'--classes must be different names, but is {names}')
    return names


def agreed_names(
    given: Optional[tuple[str, ...]], found: Optional[tuple[str, ...]]
) -> Optional[tuple[str, ...]]:
    """Names of the setting, else those of the annotations.

    Args:
        given (tuple[str], optional): Names of ``--classes``.
        found (tuple[str], optional): Names that the annotations have.

    Raises:
        ValueError: If they differ in number.
    """
    if given is None or found is None or len(found) == len(given):
        return given or found
    if len(found) == len(given) + 1 and found[1:] == given:
        # Polygons added the class of what they do not cover.
        return found
    raise ValueError(
        f'--classes names {len(given)} classes, but the annotations have '
        f'{len(found)}: {found}'
    )


def names_of_ids(
    pixels: np.ndarray, given: Optional[tuple[str, ...]] = None
) -> tuple[str, ...]:
    """Names for the ids that the masks hold.

    Args:
        pixels (np.ndarray): Pixels of each id, (256,).
        given (tuple[str], optional): Names of all classes, where they are
            known. Some may be in no mask.

    Raises:
        ValueError: If there are fewer than two classes, or gaps between
            ids without names.
    """
    ids = [i for i in np.flatnonzero(pixels).tolist() if i != IGNORED]
    gaps = given is None and ids != list(range(len(ids)))
    if len(ids) < 2 or gaps:
        wanted = 'at least two classes must be in them; '
        if given is None:
            wanted = (
                '0, 1, ... without gaps are needed. Name all classes with '
                '--classes if some are rare; '
            )
        raise ValueError(
            f'the masks hold the ids {ids} beside {IGNORED} for ignored, but '
            f'{wanted}for black-and-white masks or other values give a '
            '--colour-table, such as '
            'name,r,g,b / background,0,0,0 / object,255,255,255'
        )
    return given or tuple(f'class_{index}' for index in ids)


def usable_palette(
    stored: Optional[Sequence[Sequence[int]]], count: int
) -> list[list[int]]:
    """An RGB colour for each class.

    Args:
        stored (Sequence, optional): Colours that the annotations have.
        count (int): Number of classes.

    Returns:
        list[list[int]]: The stored ones if they are enough and differ, else
        those of PASCAL VOC, in which the bits of the class id make up the
        high bits of the colour.
    """
    if stored is not None:
        colours = [[int(c) for c in colour] for colour in stored[:count]]
        if len({tuple(c) for c in colours}) == count:
            return colours
    ids = np.arange(count)
    palette = np.zeros((count, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (ids >> channel & 1) << (7 - bit)
        ids = ids >> 3
    return palette.tolist()
