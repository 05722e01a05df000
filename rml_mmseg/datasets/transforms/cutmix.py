"""CutMix, ClassMix and CowMix."""

from collections.abc import Sized
from typing import Optional

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from rml_mmseg.models.utils.cutmix import Box, sample_cutmix_box
from rml_mmseg.setting_checks import check_choice, check_count, check_number

# Kinds of masks, and the keys of the results that hold their parameters.
KEYS = {'box': 'mix_box', 'class': 'mix_classes', 'cow': 'mix_mask'}


@TRANSFORMS.register_module()
class CutMix(BaseTransform):
    """Mix an image with another one through a mask.

    In an unlabelled pipeline, after ``WeakStrongViews``, it only draws the
    parameters of the mask; ``MutualSemiSegmentor`` then mixes images, pseudo
    labels and valid maps alike on the device. In the pipeline of a stock
    ``MultiImageMixDataset`` it mixes labelled images and their masks
    directly:

    .. code-block:: python

        train_dataloader = dict(dataset=dict(
            type='MultiImageMixDataset',
            dataset=dict(..., pipeline=[..., RandomCrop, RandomFlip]),
            pipeline=[dict(type='CutMix'), dict(type='PackSegInputs')]))

    Masks: ``'box'``, one box of a fixed area (CutMix-Seg, French et al.,
    2020); ``'class'``, half of the classes in the pasted image's label
    (ClassMix, Olsson et al., 2021); ``'cow'``, smooth random blobs
    (CowMix, French et al., 2020).

    Required Keys:

    - img
    - gt_seg_map (when it mixes directly)
    - mix_results (when it mixes directly)

    Modified Keys:

    - img, gt_seg_map (when it mixes directly)

    Added Keys:

    - mix_box, mix_mask or mix_classes (otherwise)

    Args:
        mask (str): ``'box'``, ``'class'`` or ``'cow'``. Defaults to
            ``'box'``.
        area (float): Share of the image that is pasted, in (0, 1); not used
            for ``'class'``. Defaults to 0.5.
        prob (float): Probability that an image is mixed. Defaults to 1.0.
        blob_size (tuple[float, float]): Range of the blobs' scale in pixels,
            for ``'cow'``. Defaults to (4, 16).
        num_masks (int): Number of masks drawn per image, one for each of
            ``semi_train_cfg.strong_views``; not used when it mixes directly.
            Defaults to 1.

    Raises:
        ValueError: If a setting is out of range, or two images differ in
            size.
    """

    def __init__(
        self,
        mask: str = 'box',
        area: float = 0.5,
        prob: float = 1.0,
        blob_size: tuple[float, float] = (4, 16),
        num_masks: int = 1,
    ) -> None:
        check_choice('CutMix.mask', mask, list(KEYS))
        check_number('CutMix.area', area, '(0, 1)')
        check_number('CutMix.prob', prob, '[0, 1]')
        if not isinstance(blob_size, (list, tuple)) or len(blob_size) != 2:
            raise ValueError(
                f'CutMix.blob_size must be two numbers, got {blob_size!r}'
            )
        for i, size in enumerate(blob_size):
            check_number(f'CutMix.blob_size[{i}]', size, '(0, inf)')
        check_count('CutMix.num_masks', num_masks, 1)
        self.mask = mask
        self.area = area
        self.prob = prob
        self.blob_size = blob_size
        self.num_masks = num_masks

    @cache_randomness
    def get_indices(self, dataset: Sized) -> int:
        """Index of the image to mix with, for ``MultiImageMixDataset``."""
        return np.random.randint(len(dataset))

    @cache_randomness
    def _is_mixed(self) -> bool:
        return np.random.uniform() < self.prob

    @cache_randomness
    def _draw_box(self, height: int, width: int) -> Box:
        return sample_cutmix_box(
            height, width, np.random.mtrand._rand, self.area
        )

    @cache_randomness
    def _draw_blobs(self, height: int, width: int) -> np.ndarray:
        """Mask (H, W) bool: the highest part of blurred noise."""
        low, high = np.log(self.blob_size)
        sigma = float(np.exp(np.random.uniform(low, high)))
        noise = np.random.standard_normal((height, width))
        smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), sigma)
        return smooth > np.quantile(smooth, 1 - self.area)

    @cache_randomness
    def _draw_order(self) -> np.ndarray:
        """One random number for each class id."""
        return np.random.uniform(size=256).astype(np.float32)

    def transform(self, results: dict) -> Optional[dict]:
        """Mix the image, or draw the parameters of its masks."""
        if results.get('mix_results'):
            return self._mix(results, results['mix_results'][0])
        size = results['img'].shape[:2]
        key = KEYS[self.mask]
        drawn = [self._draw(*size) for _ in range(self.num_masks)]
        results[key] = drawn[0] if self.num_masks == 1 else np.stack(drawn)
        return results

    def _draw(self, height: int, width: int) -> np.ndarray:
        """Draw the parameters of one mask."""
        mixed = self._is_mixed()
        if self.mask == 'box':
            box = self._draw_box(height, width) if mixed else (0, 0, 0, 0)
            return np.array(box)
        if self.mask == 'cow':
            return self._draw_blobs(height, width) & mixed
        order = self._draw_order()
        return order if mixed else order + np.inf

    def _mix(self, results: dict, other: dict) -> dict:
        for key in ('img', 'gt_seg_map'):
            if results[key].shape != other[key].shape:
                raise ValueError(
                    f'CutMix: {results.get("img_path")!r} is '
                    f'{results[key].shape} and {other.get("img_path")!r} '
                    f'{other[key].shape}; crop or resize both to one size '
                    'in the pipeline of MultiImageMixDataset.dataset'
                )
        if not self._is_mixed():
            return results
        mask = self._direct_mask(other['gt_seg_map'])
        results['img'] = np.where(
            mask[..., None], other['img'], results['img']
        )
        results['gt_seg_map'] = np.where(
            mask, other['gt_seg_map'], results['gt_seg_map']
        )
        return results

    def _direct_mask(self, label: np.ndarray) -> np.ndarray:
        """Mask (H, W) bool, from the pasted image's label where needed."""
        if self.mask == 'cow':
            return self._draw_blobs(*label.shape)
        if self.mask == 'box':
            y1, x1, y2, x2 = self._draw_box(*label.shape)
            mask = np.zeros(label.shape, bool)
            mask[y1:y2, x1:x2] = True
            return mask
        classes = np.unique(label[label != 255])
        order = self._draw_order()[classes].argsort()
        return np.isin(label, classes[order[: (len(classes) + 1) // 2]])

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(mask={self.mask!r}, area={self.area}, '
            f'prob={self.prob}, blob_size={self.blob_size}, '
            f'num_masks={self.num_masks})'
        )
