"""A check of masks as they are loaded."""

import os.path as osp
from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image


def check_depth(path: Optional[str]) -> None:
    """Refuse a mask file whose values do not fit into eight bits.

    Stock loading keeps the lowest eight bits of each, so that 256 would
    become class 0.

    Args:
        path (str, optional): The mask; others than local files are not
            looked at.

    Raises:
        ValueError: If a value is below 0, above 255 or no integer.
    """
    if path is None or not osp.isfile(path):
        return
    with Image.open(path) as image:
        if image.mode in ('1', 'L', 'P'):
            return
        values = np.asarray(image)
    low, high = values.min(), values.max()
    if low < 0 or high > 255 or (values != values.astype(np.uint8)).any():
        raise ValueError(
            f'mask {path!r} (mode {image.mode}) holds values from {low} to '
            f'{high}: labels must be integers from 0 to 255'
        )


@TRANSFORMS.register_module()
class CheckLabels(BaseTransform):
    """Refuse a mask that does not belong to its image or to the classes.

    Put after ``LoadAnnotations``; ``SemiSegDataset`` does so by itself.

    Required Keys:

    - img
    - gt_seg_map

    Args:
        num_classes (int): Number of classes K.
        ignore_index (int): Label of no class. Defaults to 255.

    Raises:
        ValueError: If sizes differ, the mask is not a single channel, its
            values do not fit into eight bits, or a value is neither in
            [0, K) nor ``ignore_index``.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        """Check, change nothing."""
        mask = results['gt_seg_map']
        path = results.get('seg_map_path')
        if mask.shape != results['img'].shape[:2]:
            raise ValueError(
                f'mask {path!r} has the shape {mask.shape}, its image '
                f'{results["img"].shape[:2]}: a mask must be one channel '
                'of the size of its image'
            )
        check_depth(path)
        wrong = (mask >= self.num_classes) & (mask != self.ignore_index)
        if wrong.any():
            values = np.unique(mask[wrong])[:8].tolist()
            raise ValueError(
                f'mask {path!r} holds {values}, outside of the '
                f'{self.num_classes} classes (0 to {self.num_classes - 1}, '
                f'{self.ignore_index} ignored): look at metainfo.classes, '
                'reduce_zero_label and the mask'
            )
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_classes={self.num_classes}, '
            f'ignore_index={self.ignore_index})'
        )
