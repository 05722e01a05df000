"""A check of image files before they are decoded."""

import os
from typing import Optional

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError

# 0.4 GB as an 8-bit colour image.
MAX_PIXELS = 2**27
# Values up to here have lost three bits of eight.
DARK = 31
END_OF_JPEG = b'\xff\xd9'


def check_image_file(path: str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a file that is no whole image, or one of absurd size.

    Reads the header, and all of a JPEG file that does not end as one, since
    some versions of OpenCV fill what is cut off with grey.

    Args:
        path (str): Local file.
        max_pixels (int): Largest number of pixels. Defaults to 2**27.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is empty, no image, too large or cut off.
    """
    if os.path.getsize(path) == 0:
        raise ValueError(f'{path!r} is empty')
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ValueError(
                    f'{path!r} has {height} x {width} pixels, more than '
                    f'max_pixels={max_pixels} of CheckImage'
                )
            if image.format == 'JPEG' and not _ends_as_jpeg(path):
                image.load()
    except Image.DecompressionBombError as error:
        raise ValueError(f'{path!r} is too large: {error}') from error
    except UnidentifiedImageError as error:
        raise ValueError(f'{path!r} is no image of a known kind') from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path!r} is damaged: {error}') from error


def _ends_as_jpeg(path: str) -> bool:
    with open(path, 'rb') as file:
        file.seek(-2, os.SEEK_END)
        return file.read() == END_OF_JPEG


def lost_bits(path: str, image: np.ndarray) -> Optional[str]:
    """What is lost of a nearly black image of more than eight bits.

    Loading keeps the upper eight bits of each value, which of 12 bits in a
    file of 16 are nearly nothing.

    Args:
        path (str): Local file.
        image (np.ndarray): What was loaded of it, uint8.

    Returns:
        str | None: A message; None where nothing is amiss.
    """
    if image.max() > DARK:
        return None
    stored = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype == np.uint8:
        return None
    return (
        f'{path!r} holds values to {stored.max()} ({stored.dtype}), of which '
        f'loading keeps eight bits, 0 to {image.max()}: convert it to 8 bits '
        'by the range of its values'
    )


@TRANSFORMS.register_module()
class CheckImage(BaseTransform):
    """Refuse an image file that is damaged or of absurd size.

    Put before ``LoadImageFromFile``; ``SemiSegDataset`` does so by itself.
    Files of a remote store are not looked at.

    Required Keys:

    - img_path

    Args:
        max_pixels (int): Largest number of pixels. Defaults to 2**27.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is empty, no image, too large or cut off.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Check, change nothing."""
        if '://' not in results['img_path']:
            check_image_file(results['img_path'], self.max_pixels)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_pixels={self.max_pixels})'
