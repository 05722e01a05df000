"""CutMix for segmentation: drawing a box and pasting through it."""

import math
from typing import Union

import numpy as np
import torch
from torch import Tensor

Box = tuple[int, int, int, int]
Generator = Union[np.random.Generator, np.random.RandomState]


def sample_cutmix_box(
    height: int, width: int, generator: Generator, area: float = 0.5
) -> Box:
    """Draw a box of a fixed share of the image, as CutMix-Seg does.

    The height is ``H * exp(U * ln(area))`` with U uniform in [0, 1], the
    width follows from the area, and the place is uniform within the image
    (French et al., 2020).

    Args:
        height (int): Image height, pixels.
        width (int): Image width, pixels.
        generator: Source of ``uniform`` numbers, from numpy.
        area (float): Share of the image inside of the box, in (0, 1].

    Returns:
        tuple[int, int, int, int]: ``(y1, x1, y2, x2)``, half open.

    Raises:
        ValueError: If ``area`` is outside of (0, 1].
    """
    if not 0 < area <= 1:
        raise ValueError(f'area must be in (0, 1], got {area}')
    share = math.exp(generator.uniform(0, 1) * math.log(area))
    box_h = min(max(round(height * share), 1), height)
    box_w = min(max(round(width * area / share), 1), width)
    y1 = round(generator.uniform(0, 1) * (height - box_h))
    x1 = round(generator.uniform(0, 1) * (width - box_w))
    return y1, x1, y1 + box_h, x1 + box_w


def boxes_to_masks(boxes: Tensor, height: int, width: int) -> Tensor:
    """Masks that are True inside of each item's box.

    Args:
        boxes (Tensor): (N, 4) as ``y1, x1, y2, x2``, pixels, half open.
        height (int): Image height, pixels.
        width (int): Image width, pixels.

    Returns:
        Tensor: (N, H, W), bool.
    """
    y1, x1, y2, x2 = boxes.view(-1, 4, 1).unbind(1)
    rows = torch.arange(height, device=boxes.device)
    columns = torch.arange(width, device=boxes.device)
    inside_y = (rows >= y1) & (rows < y2)
    inside_x = (columns >= x1) & (columns < x2)
    return inside_y.unsqueeze(2) & inside_x.unsqueeze(1)


def apply_mask(tensor: Tensor, masks: Tensor, partner: Tensor) -> Tensor:
    """Take the partner's values where the mask is True.

    Args:
        tensor (Tensor): (N, ..., H, W), any dtype.
        masks (Tensor): (N, H, W), bool.
        partner (Tensor): (N,), index of the item pasted into each item.

    Returns:
        Tensor: (N, ..., H, W), a new tensor.
    """
    n, h, w = masks.shape
    masks = masks.view(n, *[1] * (tensor.ndim - 3), h, w)
    return torch.where(masks, tensor[partner], tensor)


def apply_cutmix(tensor: Tensor, boxes: Tensor, partner: Tensor) -> Tensor:
    """Paste each item's box from its partner.

    Args:
        tensor (Tensor): (N, ..., H, W): images, labels or weights.
        boxes (Tensor): (N, 4) as ``y1, x1, y2, x2``, pixels, half open.
        partner (Tensor): (N,), index of the item pasted into each item.

    Returns:
        Tensor: (N, ..., H, W); inside of box n the value of item
        ``partner[n]``.

    Raises:
        ValueError: If there are not N boxes and partners.
    """
    n = tensor.shape[0]
    if boxes.shape != (n, 4) or partner.shape != (n,):
        raise ValueError(
            f'{n} items need boxes ({n}, 4) and partner ({n},), got '
            f'{tuple(boxes.shape)} and {tuple(partner.shape)}'
        )
    masks = boxes_to_masks(boxes, *tensor.shape[-2:])
    return apply_mask(tensor, masks, partner)
