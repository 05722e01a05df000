"""Reading images of more than eight bits as eight bits."""

from pathlib import Path
from typing import Optional

import cv2
import numpy as np


def read_image(
    path: Path, value_range: Optional[tuple[float, float]] = None
) -> Optional[np.ndarray]:
    """Read an image as eight bits.

    Args:
        path (Path): File of one or three channels.
        value_range (tuple[float, float], optional): Values that become 0
            and 255; values outside are clipped, and NaN becomes 0. By
            default OpenCV converts the image to eight bits and three
            channels.

    Returns:
        np.ndarray | None: (H, W) or (H, W, 3), uint8, BGR; None if OpenCV
        cannot read it.

    Raises:
        ValueError: If a range is given for an image of eight bits, or of
            other than one or three channels.
    """
    if value_range is None:
        return cv2.imread(str(path), cv2.IMREAD_COLOR)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None:
        return None
    if stored.dtype == np.uint8:
        raise ValueError(f'{path} has 8 bits, but --range is for more')
    if stored.ndim == 3 and stored.shape[2] != 3:
        raise ValueError(
            f'{path} has {stored.shape[2]} channels, but --range is for one '
            'or three. Write the channels to learn from to separate files'
        )
    low, high = value_range
    values = stored.astype(np.float64)
    scaled = (np.nan_to_num(values, nan=low) - low) / (high - low)
    return np.rint(scaled.clip(0, 1) * 255).astype(np.uint8)
