"""Packing of an unlabelled item."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample
from torch import Tensor

from .mark_valid import FIRST, PADDING

META_KEYS = (
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
)
# Accepted types, the first being the expected one, and shape of one mask.
MIXES: dict[str, tuple[list[torch.dtype], tuple[int, ...]]] = {
    'mix_box': ([torch.int64, torch.int32], (4,)),
    'mix_mask': ([torch.bool], ()),
    'mix_classes': ([torch.float32, torch.float64], (256,)),
}


def image_tensor(image: np.ndarray) -> Tensor:
    """An image (H, W, C) or (H, W) as a contiguous tensor (C, H, W)."""
    if image.ndim == 2:
        image = image[..., None]
    planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
    cv2.split(image, list(planes))
    return torch.from_numpy(planes)


def source_places(numbers: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Indices into the source image (H, W), int64; 0 where not valid.

    Raises:
        ValueError: If a transform interpolated the numbers, so that they
            are means of several places.
    """
    numbers = np.where(valid, numbers - FIRST, 0)
    places = numbers.astype(np.int64)
    if not np.array_equal(places, numbers):
        raise ValueError(
            'a transform of the unlabelled pipeline interpolates gt_seg_map, '
            "as mmseg's RandomRotFlip does, which would misplace labels. "
            'Use one that does not, such as RandomRotate'
        )
    return places


def drawn_masks(results: dict) -> dict[str, Tensor]:
    """Mask parameters that the pipeline drew for mixing.

    Args:
        results (dict): Results of the pipeline, with images of (H, W)
            pixels.

    Returns:
        dict[str, Tensor]: The one key of ``MIXES`` that is there; empty if
        nothing was drawn.

    Raises:
        ValueError: If several keys of ``MIXES`` are there, or the value of
            one has a wrong shape or type; the message names it.
    """
    found = [key for key in MIXES if key in results]
    if len(found) > 1:
        raise ValueError(
            f'the unlabelled pipeline draws {" and ".join(found)}, but an '
            'image can be mixed by only one of them: remove a transform'
        )
    if not found:
        return {}
    (key,) = found
    drawn = torch.as_tensor(results[key])
    kinds, shape = MIXES[key]
    if key == 'mix_mask':
        shape = tuple(results['weak'].shape[:2])
    if drawn.dtype not in kinds or drawn.shape[-len(shape) :] != shape:
        raise ValueError(
            f'{key} of the unlabelled pipeline must be {kinds[0]} of shape '
            f'{shape}, or (V, ...) for V masks per image, got {drawn.dtype} '
            f'of shape {tuple(drawn.shape)}'
        )
    return {key: drawn}


@TRANSFORMS.register_module()
class PackSemiSegInputs(BaseTransform):
    """Pack the views of an unlabelled image for the data preprocessor.

    Required Keys:

    - weak
    - strong
    - gt_seg_map, source_shape
    - monitor_mask (optional)
    - mix_box (4,), mix_mask (H, W) bool or mix_classes (256,) (optional,
      one of them; (V, ...) for V masks per image)

    Added Keys:

    - inputs (dict): ``weak`` (3, H, W), ``strong`` (list of (3, H, W)),
      ``valid`` (1, H, W) uint8, what the pipeline drew for mixing and,
      where ``keep_places`` is set, ``places`` (H, W, 2) float32: x and y
      of each pixel in its source image, as fractions in (0, 1).
    - data_samples (SegDataSample): Meta information; ``gt_sem_seg`` where
      there is a mask for monitoring.

    Args:
        meta_keys (Sequence[str]): Keys to keep as meta information. Defaults
            to ``META_KEYS``.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = meta_keys

    def transform(self, results: dict) -> dict:
        """Pack the views and their sample."""
        if 'weak' not in results:
            raise KeyError(
                'PackSemiSegInputs needs the views of WeakStrongViews: put '
                'WeakStrongViews before it in the unlabelled pipeline'
            )
        if 'source_shape' not in results:
            raise KeyError(
                'PackSemiSegInputs needs the valid map of MarkValid: put '
                'MarkValid after LoadImageFromFile in the unlabelled pipeline'
            )
        numbers = results['gt_seg_map']
        # Any number below is padding, whatever a transform fills in.
        valid = numbers >= FIRST
        inputs = dict(
            weak=image_tensor(results['weak']),
            strong=[image_tensor(view) for view in results['strong']],
            valid=torch.from_numpy(valid.astype(np.uint8))[None],
        )
        inputs.update(drawn_masks(results))
        if results.get('keep_places'):
            places = source_places(numbers, valid)
            height, width = results['source_shape']
            rows, columns = np.divmod(places, width)
            fractions = (columns + 0.5) / width, (rows + 0.5) / height
            inputs['places'] = torch.from_numpy(
                np.stack(fractions, axis=-1).astype(np.float32)
            )
        sample = SegDataSample(
            metainfo={
                key: results[key] for key in self.meta_keys if key in results
            }
        )
        if 'monitor_mask' in results:
            places = source_places(numbers, valid)
            labels = results['monitor_mask'].reshape(-1)[places]
            mask = np.where(valid, labels, PADDING).astype(np.int64)
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(mask)[None])
        return dict(inputs=inputs, data_samples=sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'
