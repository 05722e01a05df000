"""A check of masks as they are loaded."""

import os.path as osp
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image


def check_depth(path: Optional[str]) -> None:
    """Refuse a mask file whose values do not fit into eight bits.

    Stock loading keeps the lowest eight bits of each value, so that 256
    would become class 0.

    Args:
        path (str, optional): Path of the mask; only local files are checked.

    Raises:
        ValueError: If a value is below 0, above 255 or not an integer.
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


def strange_ids(
    path: Any,
    ids: Sequence[int],
    num_classes: int,
    reduced: bool = False,
    ignore_index: int = 255,
) -> str:
    """Error message about a mask that holds ids of no class.

    Args:
        path (str): File of the mask.
        ids (Sequence[int]): The ids, as they were loaded.
        num_classes (int): Number of classes K.
        reduced (bool): Whether ``reduce_zero_label`` lowered the file's ids
            by one. Defaults to False.
        ignore_index (int): Label of ignored pixels. Defaults to 255.
    """
    first = int(reduced)
    values = [value + first for value in ids][:8]
    zero = 'reduce_zero_label=True, 0 and ' if reduced else ''
    return (
        f'mask {path!r} holds {values}, outside of the {num_classes} classes '
        f'({first} to {num_classes - 1 + first}; {zero}{ignore_index} '
        'ignored): check metainfo.classes, reduce_zero_label and the mask'
    )


@TRANSFORMS.register_module()
class CheckLabels(BaseTransform):
    """Refuse a mask that does not belong to its image or to the classes.

    It goes after ``LoadAnnotations``, where ``SemiSegDataset`` inserts it by
    itself.

    Required Keys:

    - img
    - gt_seg_map

    Args:
        num_classes (int): Number of classes K.
        ignore_index (int): Label of ignored pixels. Defaults to 255.

    Raises:
        ValueError: If sizes differ, the mask is not a single channel, its
            values do not fit into eight bits, or a value is neither in
            [0, K) nor ``ignore_index``.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        """Check the mask and change nothing."""
        mask = results['gt_seg_map']
        path = results.get('seg_map_path')
        if mask.shape != results['img'].shape[:2]:
            raise ValueError(
                f'mask {path!r} has the shape {mask.shape}, its image '
                f'{results["img"].shape[:2]}: a mask must have one channel '
                'and the size of its image'
            )
        check_depth(path)
        wrong = (mask >= self.num_classes) & (mask != self.ignore_index)
        if wrong.any():
            raise ValueError(
                strange_ids(
                    path,
                    np.unique(mask[wrong]).tolist(),
                    self.num_classes,
                    bool(results.get('reduce_zero_label')),
                    self.ignore_index,
                )
            )
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_classes={self.num_classes}, '
            f'ignore_index={self.ignore_index})'
        )
