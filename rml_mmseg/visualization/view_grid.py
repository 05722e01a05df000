"""What a training batch looks like, as panels."""

from typing import Any, Optional

import cv2
import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from rml_mmseg.models.utils.cutmix import apply_mask
from rml_mmseg.models.utils.mixing import mix_masks

from .panel_grid import Panel, Row
from .pixels import paint_labels, to_rgb

OUTLINE = (255, 255, 0)
"""Colour of the border around pasted regions."""
INVALID = (213, 94, 0)
"""Colour of padding, which the loss leaves out."""


def labelled_rows(
    images: Tensor,
    samples: list[SegDataSample],
    preprocessor: Any,
    colours: np.ndarray,
) -> list[Row]:
    """An image and its label, for every labelled image of a batch.

    Where the label is ignored, it shows the faded image.

    Args:
        images (Tensor): (N, 3, H, W), normalised.
        samples (list[SegDataSample]): Samples with ``gt_sem_seg``.
        preprocessor (SegDataPreProcessor): What normalised them.
        colours (np.ndarray): (256, 3) uint8.
    """
    rows: list[Row] = []
    for image, sample in zip(images, samples):
        picture = to_rgb(image, preprocessor)
        labels = sample.gt_sem_seg.data[0]
        painted = paint_labels(labels, colours)
        # Opaque, so that colours are those of the legend.
        known = (labels != 255).cpu().numpy()[..., None]
        shown = np.where(known, painted, _faded(picture))
        rows.append(
            [
                Panel('labelled', picture),
                Panel('its label', shown, _ids(labels)),
            ]
        )
    return rows


def view_rows(
    inputs: dict[str, Any],
    data_samples: dict[str, list[SegDataSample]],
    preprocessor: Any,
    colours: np.ndarray,
    strong_views: int = 1,
) -> list[Row]:
    """All views, a row for every unlabelled image of a batch.

    A row has the labelled image of the same item and its label, the weak
    view and its valid pixels, the strong views, the mixed views with the
    border of what was pasted, and the valid pixels of the last one.

    Args:
        inputs (dict): See ``SemiSegDataPreProcessor``.
        data_samples (dict): Lists ``labelled`` and ``unlabelled``.
        preprocessor (SegDataPreProcessor): What normalised the images.
        colours (np.ndarray): (256, 3) uint8.
        strong_views (int): Strong views per learner; if several, each has a
            mask of its own. Defaults to 1.
    """
    labelled = labelled_rows(
        inputs['labelled'], data_samples['labelled'], preprocessor, colours
    )
    weak, valid = inputs['weak'], inputs['valid']
    partner = torch.arange(len(weak)).roll(1)
    masks = [
        _masks(inputs, data_samples['unlabelled'], partner, j % strong_views)
        for j in range(len(inputs['strong']))
    ]
    rows = []
    for i, image in enumerate(weak):
        picture = to_rgb(image, preprocessor)
        row = [*labelled[i % len(labelled)], Panel('weak', picture)]
        share = valid[i].float().mean().item()
        row.append(Panel(f'valid: {share:.0%}', _validity(picture, valid[i])))
        for j, views in enumerate(inputs['strong']):
            strong = to_rgb(views[i], preprocessor)
            row.append(Panel(f'strong {j}', strong))
        for j, (views, mask) in enumerate(zip(inputs['strong'], masks)):
            if mask is None:
                continue
            mixed = to_rgb(apply_mask(views, mask, partner)[i], preprocessor)
            row.append(Panel(f'mixed {j}', _outlined(mixed, mask[i])))
        mask = masks[-1]
        if mask is not None:
            seen = apply_mask(valid, mask, partner)[i]
            where = _outlined(_validity(mixed, seen), mask[i])
            share = seen.float().mean().item()
            row.append(Panel(f'valid when mixed: {share:.0%}', where))
        rows.append(row)
    return rows


def _masks(
    inputs: dict[str, Any],
    samples: list[SegDataSample],
    partner: Tensor,
    number: int,
) -> Optional[Tensor]:
    """Where the partner is pasted, (M, H, W); None if nothing is mixed.

    ClassMix takes the pseudo labels of a trained teacher; masks for
    monitoring stand in for them here.
    """
    labels = inputs['valid'].long()
    if 'mix_classes' in inputs:
        if not all('gt_sem_seg' in sample for sample in samples):
            return None
        labels = torch.stack([s.gt_sem_seg.data[0] for s in samples])
    return mix_masks(inputs, labels, partner, number)


def _ids(labels: Tensor) -> frozenset[int]:
    return frozenset(labels[labels != 255].unique().tolist())


def _faded(picture: np.ndarray) -> np.ndarray:
    """The image in greyish colours, neither black nor white."""
    return picture // 2 + 64


def _validity(picture: np.ndarray, valid: Tensor) -> np.ndarray:
    """The faded image, with padding painted in its colour."""
    shown = _faded(picture)
    shown[~valid.cpu().numpy()] = INVALID
    return shown


def _outlined(picture: np.ndarray, mask: Tensor) -> np.ndarray:
    """A copy of the picture with the border of the mask."""
    copy = np.ascontiguousarray(picture)
    borders, _ = cv2.findContours(
        mask.cpu().numpy().astype(np.uint8),
        cv2.RETR_LIST,
        cv2.CHAIN_APPROX_NONE,
    )
    return cv2.drawContours(copy, borders, -1, OUTLINE, 1)
