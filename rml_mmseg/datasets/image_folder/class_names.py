"""Names and colours of the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from ..colour_table import IGNORED_NAMES
from ..counted import counted
from .annotations import IGNORED
from .polygons import BACKGROUND


def read_class_names(classes: Optional[str]) -> Optional[tuple[str, ...]]:
    """Read the class names that ``--classes`` gives.

    Args:
        classes (str, optional): Names separated by commas, or a file with
            one name per line.

    Raises:
        ValueError: If a name occurs twice, there is none, or the file is
            missing.
    """
    if classes is None:
        return None
    path = Path(classes)
    is_file = path.is_file()
    if not is_file and path.suffix in ('.txt', '.csv'):
        raise ValueError(f'--classes: no such file: {classes}')
    text = path.read_text('utf-8-sig') if is_file else classes
    parts = text.splitlines() if is_file else text.split(',')
    names = tuple(part.strip() for part in parts if part.strip())
    if len(set(names)) != len(names) or not names:
        raise ValueError(f'--classes must be distinct names, but is {names}')
    return names


def agreed_names(
    given: Optional[tuple[str, ...]], found: Optional[tuple[str, ...]]
) -> Optional[tuple[str, ...]]:
    """Class names of ``--classes``, else those of the annotations.

    Args:
        given (tuple[str], optional): Names of ``--classes``.
        found (tuple[str], optional): Names in the annotations.

    Raises:
        ValueError: If they differ in number.
    """
    if given is None or found is None or len(found) == len(given):
        return given or found
    if len(found) == len(given) + 1 and found[1:] == given:
        # Polygons have added a class for pixels that none of them covers.
        return found
    raise ValueError(
        f'--classes names {counted(len(given), "class", "classes")}, but the '
        'annotations have '
        f'{len(found)}: {found}'
    )


def names_of_ids(
    pixels: np.ndarray, given: Optional[tuple[str, ...]] = None
) -> tuple[str, ...]:
    """Name the ids that the masks hold.

    Args:
        pixels (np.ndarray): Number of pixels of each id, (256,).
        given (tuple[str], optional): Names of all classes, if known. Some
            classes may occur in no mask.

    Raises:
        ValueError: If there are fewer than two classes, or the ids have gaps
            and no names are given.
    """
    ids = [i for i in np.flatnonzero(pixels).tolist() if i != IGNORED]
    gaps = given is None and ids != list(range(len(ids)))
    if len(ids) < 2 or gaps:
        wanted = 'need at least two classes. '
        if gaps:
            wanted = (
                'need 0, 1, ... without gaps. If rare classes are absent, '
                'name all of them with --classes. If the ids begin at 1, add '
                '--ignore-index 0. '
            )
        raise ValueError(
            f'the masks hold the ids {ids} (besides {IGNORED}, ignored), but '
            f'{wanted}For black-and-white masks or other values give a '
            '--colour-table, such as '
            'name,r,g,b / background,0,0,0 / object,255,255,255'
        )
    return given or tuple(f'class_{index}' for index in ids)


def about_ids_from_one(pixels: np.ndarray, names: Sequence[str]) -> str:
    """Advice for class ids that seem to begin at 1.

    Args:
        pixels (np.ndarray): Number of pixels of each id in all masks, (256,).
        names (Sequence[str]): Names that were given for 0, 1, ...

    Returns:
        str: The advice; empty if the ids may begin at 0.
    """
    count = len(names)
    largest = max(np.flatnonzero(pixels[:IGNORED]).tolist(), default=0)
    down = f'--ignore-index 0 shifts the ids by one, so that 1 is {names[0]}'
    if largest == count:
        text = f'The largest id is {count}, the number of --classes'
        if not pixels[0]:
            return f'{text}, and no mask holds 0. {down}'
        first = f'--classes background,{names[0]}{",..." * (count > 1)}'
        if count == 1:
            return f'{text}. If 0 is the background: {first}'
        return (
            f'{text}. If 0 is none of them: {down}, and ignores 0; or make '
            f'it a class of its own, {first}'
        )
    unseen = (*BACKGROUND, *IGNORED_NAMES)
    if (
        0 < largest < count
        and not pixels[0]
        and names[0].lower() not in unseen
    ):
        return (
            f'No mask holds 0, which is {names[0]}. If the ids start at 1, '
            f'all names are off by one: {down}'
        )
    return ''


def usable_palette(
    stored: Optional[Sequence[Sequence[int]]], count: int
) -> list[list[int]]:
    """An RGB colour for each class.

    Args:
        stored (Sequence, optional): Colours in the annotations.
        count (int): Number of classes.

    Returns:
        list[list[int]]: The stored colours if there are enough different
        ones, else those of PASCAL VOC, where the bits of the class id make up
        the high bits of the colour.
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
