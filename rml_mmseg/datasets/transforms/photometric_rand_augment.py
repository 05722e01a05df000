"""RandAugment without geometry."""

from collections.abc import Sequence
from typing import Any, Optional, Union

import mmpretrain.datasets.transforms  # noqa: F401  (registers operations)
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS as PRETRAIN_TRANSFORMS
from mmseg.registry import TRANSFORMS

from rml_mmseg.setting_checks import check_count, check_number

from .contiguous import contiguous
from .tabled_operation import TabledOperation

OPERATIONS = (
    'AutoContrast',
    'Equalize',
    'Invert',
    'Posterize',
    'Solarize',
    'SolarizeAdd',
    'ColorTransform',
    'Contrast',
    'Brightness',
    'Sharpness',
    'GaussianBlur',
)

DEFAULT_POLICIES: tuple[dict[str, Any], ...] = (
    dict(type='AutoContrast'),
    dict(type='Equalize'),
    dict(type='Posterize', magnitude_range=(8, 4)),
    dict(type='Solarize', magnitude_range=(256, 0)),
    dict(type='ColorTransform', magnitude_range=(0, 0.95)),
    dict(type='Contrast', magnitude_range=(0, 0.95)),
    dict(type='Brightness', magnitude_range=(0, 0.95)),
    dict(type='Sharpness', magnitude_range=(0, 0.95)),
)


@TRANSFORMS.register_module()
class PhotometricRandAugment(BaseTransform):
    """RandAugment with mmpretrain's operations on colour and tone alone.

    Cubuk et al., 2020, as RML uses it (section 5.2): a geometric operation
    is refused, as it would move the image away from its mask or pseudo
    label. It works in any mmseg pipeline.

    Required Keys:

    - img (np.uint8, H x W x 3)

    Modified Keys:

    - img

    Args:
        num_policies (int): Operations per image. Defaults to 2.
        magnitude_level (float): Strength, up to ``total_level``. Defaults
            to 10.
        magnitude_std (float | str): ``'inf'`` draws the strength uniformly
            from 0 to ``magnitude_level``, a number draws it around that
            level. Defaults to ``'inf'``.
        total_level (int): Largest level. Defaults to 10.
        prob (float): Probability that a chosen operation is applied.
            Defaults to 8/9, as if identity were the ninth operation.
        policies (list[dict], optional): Operations of mmpretrain with
            their ``magnitude_range``. Defaults to AutoContrast, Equalize,
            Posterize (8 to 4 bits), Solarize, and Color, Contrast,
            Brightness and Sharpness by up to 0.95 up or down.

    Raises:
        ValueError: If a setting is out of range, a policy is not photometric,
            or an image is not of eight bits and three channels.
    """

    def __init__(
        self,
        num_policies: int = 2,
        magnitude_level: float = 10,
        magnitude_std: Union[float, str] = 'inf',
        total_level: int = 10,
        prob: float = 8 / 9,
        policies: Optional[Sequence[dict]] = None,
    ) -> None:
        owner = 'PhotometricRandAugment'
        check_count(f'{owner}.num_policies', num_policies, 1)
        check_count(f'{owner}.total_level', total_level, 1)
        interval = f'[0, {total_level}]'
        check_number(f'{owner}.magnitude_level', magnitude_level, interval)
        if magnitude_std != 'inf':
            check_number(f'{owner}.magnitude_std', magnitude_std, '[0, inf)')
        check_number(f'{owner}.prob', prob, '[0, 1]')
        policies = DEFAULT_POLICIES if policies is None else policies
        scoped = []
        for policy in policies:
            name = policy['type'].split('.')[-1]
            if name not in OPERATIONS:
                raise ValueError(
                    f'PhotometricRandAugment.policies: {name!r} is not '
                    'photometric and would move the image away from its '
                    f'label; known: {OPERATIONS}'
                )
            policy = {**policy, 'type': f'mmpretrain.{name}'}
            policy.setdefault('prob', prob)
            scoped.append(policy)
        self.augment = PRETRAIN_TRANSFORMS.build(
            dict(
                type='mmpretrain.RandAugment',
                policies=scoped,
                num_policies=num_policies,
                magnitude_level=magnitude_level,
                magnitude_std=magnitude_std,
                total_level=total_level,
            )
        )
        self.augment.transforms = [
            TabledOperation(stock)
            if type(stock) in TabledOperation.KINDS
            else stock
            for stock in self.augment.transforms
        ]

    def transform(self, results: dict) -> dict:
        """Augment the image."""
        image = contiguous(results['img'])
        try:
            # Some operations would clip the values of other dtypes.
            if image.dtype != np.uint8:
                raise TypeError(image.dtype)
            results['img'] = self.augment(dict(img=image))['img']
        except Exception as error:
            if image.dtype == np.uint8 and image.shape[2:] == (3,):
                raise
            raise ValueError(
                'PhotometricRandAugment needs 8-bit images of three '
                f'channels (uint8, H x W x 3), got {image.dtype} of shape '
                f'{image.shape}. Remove it from the pipeline, set strong=[] '
                'of WeakStrongViews, or convert a range of values to 8 bits '
                '(image_folder.py --range)'
            ) from error
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.augment})'
