"""What a training iteration made of one unlabelled image, as panels."""

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from torch import Tensor

from .pixels import paint_labels, to_rgb

CHANGES = {
    'mended': (0, 114, 178),
    'spoilt': (213, 94, 0),
    'wrong before and after': (240, 228, 66),
}
"""What rectification did to a pixel with known truth, and its colour.

The colours are Okabe and Ito's, which colour-blind readers tell apart.
"""


@dataclass(frozen=True)
class Panel:
    """A picture with a title.

    Attributes:
        title: What it shows.
        picture: (H, W, 3) uint8, RGB.
        ids: Class ids that are painted in it, for a legend.
    """

    title: str
    picture: np.ndarray
    ids: frozenset[int] = frozenset()


Row = list[Optional[Panel]]


def panel_grid(
    record: dict[str, Any], model: Any, colours: np.ndarray, index: int = 0
) -> list[Row]:
    """Panels of one unlabelled image, in rows of equal length.

    The first row has the weak view, the labels of all sources and, where
    there is a mask for monitoring, the ground truth; the second, where
    there are rectifiers, what they changed; then there is a row for every
    student: its mixed view, the labels it learns there and what it
    predicts.

    Args:
        record (dict): ``MutualSemiSegmentor.record`` of an iteration.
        model (MutualSemiSegmentor): The model.
        colours (np.ndarray): Colours of the classes (256, 3) uint8.
        index (int): Which image of the batch. Defaults to 0.

    Returns:
        list[list[Panel | None]]: Rows, None for an empty place.
    """
    valid = record['valid'][index]
    truth = record['masks'][index] if 'masks' in record else None
    base = model.data_preprocessor.base
    weak = to_rgb(record['weak'][index], base)
    first: Row = [Panel('weak view', weak)]
    second: Row = [None]
    for name, source in record['sources'].items():
        labels, plain = source['labels'][index], source['plain'][index]
        first.append(_label_panel(f'{name}: labels', labels, colours, valid))
        second.append(
            _changes(name, weak, labels, plain, valid, truth, colours)
            if len(model.rectifiers) and name.startswith('teachers.')
            else None
        )
    rows = [first]
    if any(second):
        rows.append(second)
    for i, (view, targets, mixed_valid, logits) in enumerate(
        record.get('mixed', ())
    ):
        seen = mixed_valid[index]
        row: Row = [
            Panel(f'students.{i}: mixed view', to_rgb(view[index], base))
        ]
        for kind, ids, _ in targets:
            title = f'its label, {kind}'
            row.append(_label_panel(title, ids[index], colours, seen))
        title, found = f'students.{i}: prediction', logits[index].argmax(0)
        rows.append([*row, _label_panel(title, found, colours, seen)])
    width = max(map(len, rows))
    if truth is not None:
        width = max(width, len(first) + 1)
    rows = [row + [None] * (width - len(row)) for row in rows]
    if truth is not None:
        rows[0][-1] = _label_panel('ground truth', truth, colours, valid)
    return rows


def _label_panel(
    title: str, labels: Tensor, colours: np.ndarray, valid: Tensor
) -> Panel:
    """A painted label map (H, W) and which classes are in it."""
    picture = paint_labels(labels, colours, valid)
    return Panel(title, picture, frozenset(labels[valid].unique().tolist()))


def _changes(
    name: str,
    weak: np.ndarray,
    labels: Tensor,
    plain: Tensor,
    valid: Tensor,
    truth: Optional[Tensor],
    colours: np.ndarray,
) -> Panel:
    """Where a rectifier changed labels, over the dimmed image.

    With a ground truth the colour says whether the change was right,
    without it which class the pixel got.
    """
    grey = weak.mean(2, keepdims=True) * 0.4
    picture = np.repeat(grey, 3, axis=2).astype(np.uint8)
    changed = ((labels != plain) & valid).cpu()
    share = changed.sum() / valid.sum().clamp(min=1).cpu()
    ids: frozenset[int] = frozenset()
    if truth is None:
        where = changed.numpy()
        picture[where] = paint_labels(labels, colours)[where]
        ids = frozenset(labels.cpu()[changed].unique().tolist())
    else:
        truth, labels, plain = truth.cpu(), labels.cpu(), plain.cpu()
        changed &= truth != 255
        now, before = labels == truth, plain == truth
        kinds = (now, before, ~now & ~before)
        for kind, colour in zip(kinds, CHANGES.values()):
            picture[(changed & kind).numpy()] = colour
    return Panel(f'{name}: {share:.1%} changed', picture, ids)
