"""Operations on tone and colour.

They give the same values as mmcv's ``auto_contrast``, ``imequalize``,
``adjust_contrast`` and ``adjust_color``. All but the last map a pixel by its
value alone, so a table of 256 entries replaces arithmetic on the whole image.
OpenCV's histogram replaces NumPy's, which sorts floats into bins.
"""

from typing import Callable

import cv2
import numpy as np


def _by_channel(
    image: np.ndarray, table_of: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Apply to each channel the table that is made from it."""
    return cv2.merge(
        [cv2.LUT(channel, table_of(channel)) for channel in cv2.split(image)]
    )


def _stretch(channel: np.ndarray) -> np.ndarray:
    levels = np.arange(256)
    low, high = (int(value) for value in cv2.minMaxLoc(channel)[:2])
    if low >= high:
        return levels.astype(np.uint8)
    scale = 255.0 / (high - low)
    return np.clip(levels * scale - low * scale, 0, 255).astype(np.uint8)


def _flatten(channel: np.ndarray) -> np.ndarray:
    counted = cv2.calcHist([channel], [0], None, [256], [0, 256])
    found = counted.ravel().astype(np.int64)
    present = found[found > 0]
    step = (present.sum() - present[-1]) // 255
    if not step:
        return np.arange(256, dtype=np.uint8)
    table = (np.cumsum(found) + step // 2) // step
    table = np.concatenate([[0], table[:-1]])
    return np.minimum(table, 255).astype(np.uint8)


def auto_contrast(image: np.ndarray) -> np.ndarray:
    """Stretch each channel to 0 to 255, as ``mmcv.auto_contrast``.

    Args:
        image (np.ndarray): (H, W, 3), uint8.
    """
    return _by_channel(image, _stretch)


def equalize(image: np.ndarray) -> np.ndarray:
    """Flatten the histogram of each channel, as ``mmcv.imequalize``.

    Args:
        image (np.ndarray): (H, W, 3), uint8.
    """
    return _by_channel(image, _flatten)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the mean grey, as ``mmcv.adjust_contrast``.

    Args:
        image (np.ndarray): (H, W, 3), uint8, BGR.
        factor (float): 0 gives plain grey, 1 the image.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    mean = round(np.sum(grey) / grey.size)
    levels = np.arange(256, dtype=np.float32)[None]
    blended = cv2.addWeighted(
        levels, factor, np.full_like(levels, mean), 1 - factor, 0
    )
    return cv2.LUT(image, np.clip(blended, 0, 255).astype(np.uint8))


def adjust_color(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image, as ``mmcv.adjust_color``.

    Args:
        image (np.ndarray): (H, W, 3), uint8, BGR.
        factor (float): 0 gives the grey image, 1 the image.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    grey = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)
