"""Operations of mmpretrain's RandAugment, done through tables."""

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

# What these give a pixel depends on its value alone, in every image: their
# table is what they make of all values.
BY_VALUE = (Brightness, Invert, Posterize, Solarize, SolarizeAdd)


class TabledOperation(BaseTransform):
    """A stock operation of tone, the same values several times as fast.

    Every random number is drawn by the stock operation, in its order.

    Required Keys:

    - img (np.uint8, H x W x 3)

    Modified Keys:

    - img

    Args:
        stock (BaseTransform): One of ``KINDS``, of mmpretrain.
    """

    KINDS = (AutoContrast, ColorTransform, Contrast, Equalize, *BY_VALUE)

    def __init__(self, stock: Any) -> None:
        self.stock = stock

    def transform(self, results: dict) -> dict:
        """Change the image."""
        stock, image = self.stock, results['img']
        if isinstance(stock, BY_VALUE):
            values = np.arange(256, dtype=np.uint8)[None]
            table = stock(dict(img=values))['img']
            if table is not values:
                results['img'] = cv2.LUT(image, table)
            return results
        if stock.random_disable():
            return results
        if isinstance(stock, AutoContrast):
            results['img'] = tone_tables.auto_contrast(image)
        elif isinstance(stock, Equalize):
            results['img'] = tone_tables.equalize(image)
        else:
            magnitude = stock.magnitude
            if magnitude is None:
                magnitude = stock.random_magnitude()
            factor = 1 + stock.random_negative(magnitude)
            adjust = (
                tone_tables.adjust_contrast
                if isinstance(stock, Contrast)
                else tone_tables.adjust_color
            )
            results['img'] = adjust(image, factor)
        return results

    def __repr__(self) -> str:
        return repr(self.stock)
