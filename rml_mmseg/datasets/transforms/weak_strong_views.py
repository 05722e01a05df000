"""Weak and strong views of one image."""

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmseg.registry import TRANSFORMS

from rml_mmseg.setting_checks import check_count

from .contiguous import contiguous

Transforms = Sequence[Union[dict, BaseTransform]]


@TRANSFORMS.register_module()
class WeakStrongViews(BaseTransform):
    """Fork an image into a weak view and several strong ones.

    Place it after the geometric transforms, so that all views show the same
    pixels and a pseudo label of the weak view fits the strong ones. The views
    may differ in colour alone: a transform that changes the size or moves the
    label map is refused.

    Required Keys:

    - img
    - gt_seg_map (optional)

    Added Keys:

    - weak (np.ndarray, H x W x 3)
    - strong (list[np.ndarray], each H x W x 3)

    Args:
        strong (list[dict]): Photometric transforms of the strong views,
            drawn anew for each. Defaults to none.
        weak (list[dict]): Photometric transforms of the weak view.
            Defaults to none.
        num_strong (int): Number of strong views: the number of students
            times ``semi_train_cfg.strong_views``, or fewer, and then
            students share them. Defaults to 2.

    Raises:
        ValueError: If ``num_strong`` is below 1, or a view changes size or
            moves the label map.
    """

    def __init__(
        self,
        strong: Transforms = (),
        weak: Transforms = (),
        num_strong: int = 2,
    ) -> None:
        check_count('WeakStrongViews.num_strong', num_strong, 1)
        self.strong = self._build(strong)
        self.weak = self._build(weak)
        self.num_strong = num_strong

    @staticmethod
    def _build(transforms: Transforms) -> Compose:
        return Compose(
            [
                TRANSFORMS.build(t) if isinstance(t, dict) else t
                for t in transforms
            ]
        )

    def _view(self, name: str, results: dict) -> np.ndarray:
        """View by the transforms ``weak`` or ``strong``."""
        image = results['img']
        numbers: Any = results.get('gt_seg_map')
        made = getattr(self, name)(dict(results, img=image.copy()))
        view, moved = made['img'], made.get('gt_seg_map', numbers)
        if view.shape != image.shape:
            raise ValueError(
                f'WeakStrongViews: a view went from {image.shape} to '
                f'{view.shape}. Put what changes the size before it'
            )
        # Transforms of colour pass on the same array, which costs no time.
        if moved is not numbers and not np.array_equal(moved, numbers):
            raise ValueError(
                f'WeakStrongViews.{name}: a transform moved the pixels, so '
                'that no pseudo label would fit the view; put geometric '
                'transforms before WeakStrongViews'
            )
        return view

    def transform(self, results: dict) -> dict:
        """Add the views."""
        results['img'] = contiguous(results['img'])
        results['weak'] = self._view('weak', results)
        results['strong'] = [
            self._view('strong', results) for _ in range(self.num_strong)
        ]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(strong={self.strong}, weak={self.weak}, '
            f'num_strong={self.num_strong})'
        )
