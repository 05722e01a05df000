"""Images that lie in memory as they are read."""

import cv2
import numpy as np


def contiguous(image: np.ndarray) -> np.ndarray:
    """An image whose rows are read forwards.

    A flipped image is a view that reads backwards. NumPy takes thirty times
    as long to copy it as OpenCV does to flip what it is a view of, and all
    that OpenCV does with it begins with such a copy.

    Args:
        image (np.ndarray): (H, W, C).
    """
    if image.strides[1] < 0:
        return cv2.flip(image[:, ::-1], 1)
    return image
