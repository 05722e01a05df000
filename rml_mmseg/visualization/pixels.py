"""From normalised tensors and label maps to pictures."""

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from torch import Tensor

from ..models.utils.preprocessing import swaps_channels

IGNORED = (255, 255, 255)
"""Colour of pixels without a label."""
PADDED = (210, 210, 210)
"""Colour of padding; no known palette contains it."""


def class_colours(
    count: int, palette: Optional[Sequence[Sequence[int]]] = None
) -> np.ndarray:
    """Colours of the classes.

    Args:
        count (int): Number of classes K.
        palette (Sequence, optional): Colours (K, 3), RGB in [0, 255];
            evenly spread hues where there is none.

    Returns:
        np.ndarray: (256, 3) uint8, white from K on.
    """
    colours = np.full((256, 3), IGNORED, np.uint8)
    if palette:
        colours[:count] = np.asarray(palette, np.uint8)[:count]
        return colours
    from matplotlib.colors import hsv_to_rgb

    # Steps of the golden ratio keep neighbouring ids apart.
    hues = np.arange(count) * 0.618034 % 1
    values = np.where(np.arange(count) % 2, 0.65, 0.95)
    hsv = np.stack([hues, np.full(count, 0.75), values], axis=1)
    colours[:count] = (hsv_to_rgb(hsv) * 255).round()
    return colours


def paint_labels(
    labels: Tensor, colours: np.ndarray, valid: Optional[Tensor] = None
) -> np.ndarray:
    """A label map (H, W) as a picture (H, W, 3).

    Args:
        labels (Tensor): Class ids, 255 for none.
        colours (np.ndarray): (256, 3) uint8.
        valid (Tensor, optional): (H, W) bool, False on padding.
    """
    picture = colours[labels.cpu().numpy().astype(np.uint8)]
    if valid is not None:
        picture[~valid.cpu().numpy()] = PADDED
    return picture


def to_rgb(image: Tensor, preprocessor: Any) -> np.ndarray:
    """Turn a normalised image (C, H, W) back into a picture (H, W, 3).

    Of more than three channels the first three are shown, of one or two the
    first, stretched from their smallest value to their largest.

    Args:
        image (Tensor): Image as a network reads it.
        preprocessor (SegDataPreProcessor): What normalised it. Images are
            assumed to be loaded as BGR, which is mmcv's default.
    """
    image = image.detach().float()
    if preprocessor._enable_normalize:
        image = image * preprocessor.std + preprocessor.mean
    if len(image) != 3:
        image = image[:3] if len(image) > 3 else image[:1].repeat(3, 1, 1)
        low, high = image.min(), image.max()
        image = (image - low) * 255 / (high - low).clamp(min=1e-6)
    picture = image.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    return picture if swaps_channels(preprocessor) else picture[..., ::-1]
