"""Classes and masks from polygons."""

import base64
import binascii
import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Optional

import numpy as np
from PIL import Image, ImageDraw

from rml_mmseg.setting_checks import did_you_mean

from ..colour_table import IGNORED_NAMES
from .annotations import IGNORED

BACKGROUND = ('background', '_background_', '__background__')


def polygon_classes(
    labels: Mapping[str, str],
    wanted: Optional[Sequence[str]],
    background: bool,
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Find the classes, and the id of every label.

    Args:
        labels (Mapping[str, str]): Labels that occur, in the order of their
            classes, each with a file that uses it.
        wanted (Sequence[str], optional): Names of all classes in order.
        background (bool): Whether pixels that no polygon covers are a class;
            it comes first unless ``wanted`` or a label names it.

    Returns:
        tuple: Class names, and ids by label. Labels named by one of the
        ``IGNORED_NAMES`` get 255 unless ``wanted`` has them. The id of
        ``'background'`` is that of pixels that no polygon covers.

    Raises:
        ValueError: If a label is not in ``wanted``, or there are fewer than
            two classes.
    """
    named = [x for x in labels if x.lower() not in IGNORED_NAMES]
    names = list(wanted) if wanted is not None else named
    outside = next((n for n in names if n.lower() in BACKGROUND), None)
    if background and outside is None:
        outside = BACKGROUND[0]
        names.insert(0, outside)
    if len(names) < 2:
        raise ValueError(
            f'the annotations name the classes {names}, but at least two are '
            'needed. --outside background makes uncovered pixels one'
        )
    strange = [x for x in named if x not in names]
    # Every spelling of background means the same class.
    spellings = [x for x in strange if outside and x.lower() in BACKGROUND]
    unknown = [x for x in strange if x not in spellings]
    if unknown:
        label = unknown[0]
        raise ValueError(
            f'{labels[label]}: the label {label!r} is not among --classes '
            f'{names}{did_you_mean(label, names)}; add it there, or rename it '
            "to 'ignore' in the annotation"
        )
    ids = {label: IGNORED for label in labels if label not in named}
    ids.update((name, index) for index, name in enumerate(names))
    ids.update((label, ids[str(outside)]) for label in spellings)
    ids[BACKGROUND[0]] = ids[outside] if outside and background else IGNORED
    return tuple(names), ids


def shape_mask(shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Draw the pixels of one LabelMe shape.

    Args:
        shape (Mapping): Shape with ``shape_type`` (polygon if missing),
            ``points`` and, for the type mask, ``mask``.
        size (tuple[int, int]): Height and width of the image in pixels.

    Returns:
        np.ndarray: bool (H, W).

    Raises:
        ValueError: If the type of the shape has no area, or the shape is not
            well-formed.
    """
    kind = shape.get('shape_type') or 'polygon'
    try:
        points = [(float(x), float(y)) for x, y in shape['points']]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'its points are not pairs of numbers: {error}'
        ) from error
    if kind == 'rectangle' and len(points) == 4:
        # X-AnyLabeling writes all four corners.
        kind = 'polygon'
    needed = dict(polygon=3, rectangle=2, circle=2, mask=2).get(kind)
    if needed is None:
        raise ValueError(
            f'a shape of type {kind!r} covers no pixels. Use a polygon, '
            'rectangle, circle or mask instead'
        )
    if len(points) < needed or (kind != 'polygon' and len(points) > needed):
        raise ValueError(f'a {kind} needs {needed} points, got {len(points)}')
    if kind == 'mask':
        return _pasted(shape.get('mask'), points, size)
    image = Image.new('1', (size[1], size[0]))
    draw = ImageDraw.Draw(image)
    if kind == 'polygon':
        draw.polygon(points, fill=1, outline=1)
        return np.array(image)
    (x1, y1), (x2, y2) = points
    if kind == 'rectangle':
        corners = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        draw.rectangle(corners, fill=1)
    else:
        radius = float(np.hypot(x2 - x1, y2 - y1))
        draw.ellipse(
            (x1 - radius, y1 - radius, x1 + radius, y1 + radius), fill=1
        )
    return np.array(image)


def _pasted(
    code: Any, points: list[tuple[float, float]], size: tuple[int, int]
) -> np.ndarray:
    """Paste a mask, a PNG in base64, with its corner at the first point."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(code))) as file:
            part = np.asarray(file.convert('1'))
    except (OSError, TypeError, binascii.Error) as error:
        raise ValueError(f'its mask is not a base64 PNG: {error}') from error
    whole = np.zeros(size, bool)
    left, top = (round(value) for value in points[0])
    if left < 0 or top < 0:
        raise ValueError(f'its mask starts outside the image, {points[0]}')
    place = whole[top : top + part.shape[0], left : left + part.shape[1]]
    place[...] = part[: place.shape[0], : place.shape[1]]
    return whole


def unused(names: Collection[str], images: Collection[str]) -> list[str]:
    """Sorted annotation names that no image has."""
    return sorted(set(names) - set(images))
