"""Record of where each pixel of an unlabelled image came from."""

import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

PADDING = 255
FIRST = 256


def source_indices(height: int, width: int) -> np.ndarray:
    """Number the pixels from ``FIRST`` on, in reading order.

    The numbers are floating point, because OpenCV cannot rotate integers of
    this size, and double where single precision would not be exact.

    Args:
        height (int): Height in pixels.
        width (int): Width in pixels.

    Returns:
        np.ndarray: (H, W), float32 or float64.
    """
    last = FIRST + height * width
    dtype = np.float32 if last < 2**24 else np.float64
    return np.arange(FIRST, last, dtype=dtype).reshape(height, width)


@TRANSFORMS.register_module()
class MarkValid(LoadAnnotations):
    """Number the pixels of an unlabelled image, before it is transformed.

    The numbers are stored as ``gt_seg_map``, the one map that every stock
    geometric transform moves along with the image and fills with a label,
    255 or another, where there is no image. So they tell afterwards which
    pixels are valid and where in the source image each came from, whatever
    the geometric transforms were, unless one interpolates labels. A
    monitoring mask, where the data set has one, is not transformed but
    looked up at these places.

    Required Keys:

    - img
    - ori_shape, scale_factor, flip (optional)
    - seg_map_path (optional)

    Added Keys:

    - gt_seg_map (float, H x W): Numbers of the pixels.
    - source_shape (tuple[int, int]): H and W.
    - monitor_mask (np.ndarray, H x W, optional)

    Args:
        kwargs: Arguments of ``LoadAnnotations``, for monitoring masks.

    Raises:
        ValueError: If the image was cropped, padded or flipped before, or a
            monitoring mask differs in size from it.
    """

    def transform(self, results: dict) -> dict:
        """Add the numbers."""
        shape = results['img'].shape[:2]
        self._check_whole(results, shape)
        results.setdefault('seg_fields', [])
        if results.get('seg_map_path'):
            results.setdefault('label_map', None)
            results.setdefault('reduce_zero_label', False)
            results = super().transform(results)
            mask = results['gt_seg_map']
            if mask.shape != shape:
                raise ValueError(
                    f'monitoring mask {results["seg_map_path"]!r} has the '
                    f'shape {mask.shape}, its image {shape}'
                )
            results['monitor_mask'] = mask
        else:
            results['seg_fields'].append('gt_seg_map')
        results['gt_seg_map'] = source_indices(*shape)
        results['source_shape'] = shape
        return results

    @staticmethod
    def _check_whole(results: dict, shape: tuple[int, int]) -> None:
        """Refuse an image in which places are not those of its file."""
        height, width = results.get('ori_shape', shape)[:2]
        # Places are fractions of the image, so resizing all of it is right.
        scale = np.ravel(results.get('scale_factor', 1.0))
        whole = (round(height * scale[-1]), round(width * scale[0]))
        if shape != whole or results.get('flip'):
            raise ValueError(
                'MarkValid: the image was cropped, padded or flipped before '
                f'(it has the shape {shape}, the whole one {whole}), so that '
                'its labels would be of other places: put MarkValid after '
                'LoadImageFromFile, before the geometric transforms'
            )
