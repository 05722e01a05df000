"""A check of image files before they are decoded."""

import hashlib
import os
from typing import Any, Optional

import cv2
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmseg.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError

# 0.4 GB as an 8-bit colour image.
MAX_PIXELS = 2**27
# If nearly all loaded values are up to this, over two of eight bits are lost.
DARK = 47
END_OF_JPEG = b'\xff\xd9'


def check_image_file(path: str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a file that is not a complete image, or is absurdly large.

    Reads only the header, but all of a JPEG file without its end marker,
    since some versions of OpenCV fill the missing part with grey.

    Args:
        path (str): Local file.
        max_pixels (int): Largest number of pixels. Defaults to 2**27.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is empty, not an image, too large or damaged.
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
        raise ValueError(f'{path!r} is not a known image format') from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path!r} is damaged: {error}') from error


def _ends_as_jpeg(path: str) -> bool:
    with open(path, 'rb') as file:
        file.seek(-2, os.SEEK_END)
        return file.read() == END_OF_JPEG


def pixel_digest(image: np.ndarray) -> str:
    """Hash of a decoded image, however its file is compressed."""
    content = str(image.shape).encode() + image.tobytes()
    return hashlib.sha256(content).hexdigest()


def lost_bits(path: str, image: Optional[np.ndarray]) -> Optional[str]:
    """Describe what is lost in loading an image of more than eight bits.

    Loading keeps the upper eight bits of each value, which is almost nothing
    of 12-bit data in a 16-bit file, and takes negative values for large ones.

    Args:
        path (str): Local file.
        image (np.ndarray, optional): The loaded image, uint8; None if OpenCV
            cannot load it.

    Returns:
        str | None: A message; None if nothing is lost.
    """
    dark = image is None or (image > DARK).mean() <= 0.01
    if not dark and not _may_be_signed(path):
        return None
    stored = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype == np.uint8:
        return None
    if image is None:
        kept = 'which cannot be loaded as 8 bits'
    elif stored.dtype != np.uint16:
        kept = 'which loading as 8 bits changes'
    else:
        values = np.unique(stored).size
        if values == 1 or not dark:
            return None
        levels = np.unique(image).size
        kept = f'{values} in all, which load as {levels} dark ones'
    finite = stored[np.isfinite(stored)]
    if not finite.size:
        return f'{path!r} holds no finite value'
    low, high = np.percentile(finite, (0.5, 99.5))
    return (
        f'{path!r} holds values from {finite.min():g} to {finite.max():g} '
        f'({stored.dtype}), {kept}. Convert the same range of every image, '
        f'such as {low:.6g} to {high:.6g}, to 8 bits '
        '(image_folder.py --range)'
    )


def image_loader(dataset: Any) -> Any:
    """Transform that loads the images of a plain data set.

    Args:
        dataset (BaseDataset): Data set with or without a pipeline.
    """
    pipeline = getattr(dataset, 'pipeline', None)
    steps = [
        step
        for step in getattr(pipeline, 'transforms', ())
        if not isinstance(step, CheckImage)
    ]
    stock = [step for step in steps if isinstance(step, LoadImageFromFile)]
    return (stock or steps or [LoadImageFromFile()])[0]


def is_stock_loader(transform: Any) -> bool:
    """Whether a transform is stock loading of 8-bit colour images.

    Args:
        transform (Any): Transform of a pipeline. Others, subclasses of
            ``LoadImageFromFile`` included, may read files of any kind.
    """
    return (
        type(transform) is LoadImageFromFile
        and transform.color_type == 'color'
        and transform.imdecode_backend == 'cv2'
    )


def _may_be_signed(path: str) -> bool:
    """Whether a file may hold negative or fractional values."""
    try:
        with Image.open(path) as file:
            return file.format == 'TIFF'
    except (OSError, Image.DecompressionBombError):
        return True


@TRANSFORMS.register_module()
class CheckImage(BaseTransform):
    """Refuse an image file that is damaged or absurdly large.

    It goes before ``LoadImageFromFile``, where ``SemiSegDataset`` inserts it
    by itself. Remote files are not checked.

    Required Keys:

    - img_path

    Args:
        max_pixels (int): Largest number of pixels. Defaults to 2**27.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is empty, not an image, too large or damaged.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Check the image file and change nothing."""
        if '://' not in results['img_path']:
            check_image_file(results['img_path'], self.max_pixels)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_pixels={self.max_pixels})'
