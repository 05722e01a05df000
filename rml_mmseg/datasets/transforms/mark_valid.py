"""The map of valid pixels of an unlabelled image."""

import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

PADDING = 255
VOID = 256


@TRANSFORMS.register_module()
class MarkValid(LoadAnnotations):
    """Mark all pixels of an unlabelled image as valid, before geometry.

    The map travels as ``gt_seg_map``, the one map that every stock
    geometric transform moves along with the image and fills with 255 where
    there is no image. Where the dataset has masks for monitoring they
    travel in the same map, with their own ignored pixels as 256, so that
    these are not taken for padding. ``PackSemiSegInputs`` takes the two
    apart.

    Required Keys:

    - img
    - seg_map_path (optional)

    Added Keys:

    - gt_seg_map (np.uint16, H x W)
    - monitored (bool): Whether the map holds labels.

    Args:
        kwargs: Arguments of ``LoadAnnotations``, for masks.
    """

    def transform(self, results: dict) -> dict:
        """Add the map."""
        results['monitored'] = bool(results.get('seg_map_path'))
        if results['monitored']:
            results.setdefault('label_map', None)
            results.setdefault('reduce_zero_label', False)
            results = super().transform(results)
            mask = results['gt_seg_map'].astype(np.uint16)
            mask[mask == PADDING] = VOID
        else:
            mask = np.zeros(results['img'].shape[:2], np.uint16)
            results.setdefault('seg_fields', []).append('gt_seg_map')
        if mask.shape != results['img'].shape[:2]:
            raise ValueError(
                f'monitoring mask {results["seg_map_path"]!r} has the shape '
                f'{mask.shape}, its image {results["img"].shape[:2]}'
            )
        results['gt_seg_map'] = mask
        return results
