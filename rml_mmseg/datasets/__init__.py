"""Datasets, samplers and transforms."""

from .camvid import CamVidDataset
from .samplers import Draw, SemiSegSampler
from .semi_seg_dataset import SemiSegDataset
from .textured_scenes import TexturedScenesDataset
from .transforms import (
    CheckImage,
    CheckLabels,
    CutMix,
    MarkValid,
    PackSemiSegInputs,
    PhotometricRandAugment,
    WeakStrongViews,
)
from .unlabelled_seg_dataset import UnlabelledSegDataset

__all__ = [
    'CamVidDataset',
    'CheckImage',
    'CheckLabels',
    'CutMix',
    'Draw',
    'MarkValid',
    'PackSemiSegInputs',
    'PhotometricRandAugment',
    'SemiSegDataset',
    'SemiSegSampler',
    'TexturedScenesDataset',
    'UnlabelledSegDataset',
    'WeakStrongViews',
]
