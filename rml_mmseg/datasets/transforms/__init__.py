"""Transforms."""

from .check_image import CheckImage
from .check_labels import CheckLabels
from .cutmix import CutMix
from .mark_valid import MarkValid
from .pack_semi_seg_inputs import PackSemiSegInputs
from .photometric_rand_augment import PhotometricRandAugment
from .weak_strong_views import WeakStrongViews

__all__ = [
    'CheckImage',
    'CheckLabels',
    'CutMix',
    'MarkValid',
    'PackSemiSegInputs',
    'PhotometricRandAugment',
    'WeakStrongViews',
]
