"""Operations of mmpretrain's RandAugment, by lookup tables."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import (
    AutoContrast,
    Brightness,
    ColorTransform,
    Contrast,
    Equalize,
    Invert,
    Posterize,
    Solarize,
    SolarizeAdd,
)

from . import tone_tables

# These map a pixel by its value alone, in the same way in every image: their
# table is what they make of all 256 values.
BY_VALUE = (Brightness, Invert, Posterize, Solarize, SolarizeAdd)
OF_IMAGE = {
    AutoContrast: tone_tables.auto_contrast,
    Equalize: tone_tables.equalize,
}
BY_FACTOR = {
    ColorTransform: tone_tables.adjust_color,
    Contrast: tone_tables.adjust_contrast,
}


class TabledOperation(BaseTransform):
    """Stock operation on tone, with the same output several times as fast.

    The stock operation draws every random number, in its own order.

    Required Keys:

    - img (np.uint8, H x W x 3)

    Modified Keys:

    - img

    Args:
        stock (BaseTransform): Operation of mmpretrain, one of ``KINDS``.
    """

    KINDS = (*BY_VALUE, *OF_IMAGE, *BY_FACTOR)

    def __init__(self, stock: Any) -> None:
        self.stock = stock

    def transform(self, results: dict) -> dict:
        """Change the image."""
        stock, image, kind = self.stock, results['img'], type(self.stock)
        if kind in BY_VALUE:
            values = np.arange(256, dtype=np.uint8)[None]
            table = stock(dict(img=values))['img']
            if table is not values:
                results['img'] = cv2.LUT(image, table)
        elif stock.random_disable():
            return results
        elif kind in OF_IMAGE:
            results['img'] = OF_IMAGE[kind](image)
        else:
            magnitude = stock.magnitude
            if magnitude is None:
                magnitude = stock.random_magnitude()
            factor = 1 + stock.random_negative(magnitude)
            results['img'] = BY_FACTOR[kind](image, factor)
        return results

    def __repr__(self) -> str:
        return repr(self.stock)
