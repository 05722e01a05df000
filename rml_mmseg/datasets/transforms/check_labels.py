"""A check of masks as they are loaded."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


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
        ValueError: If sizes differ, the mask is not a single channel, or
            a value is neither in [0, K) nor ``ignore_index``.
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
