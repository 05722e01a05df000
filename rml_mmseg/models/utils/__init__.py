"""Functions without state, which compute in float32."""

from .alignment import alignment_bias, class_shares
from .coupling import agreement, total_variation
from .cutmix import (
    apply_cutmix,
    apply_mask,
    boxes_to_masks,
    sample_cutmix_box,
)
from .ema import ema_update
from .prototypes import (
    class_sums,
    prototype_weights,
    update_prototypes,
)
from .rectified_labels import rectify

__all__ = [
    'agreement',
    'alignment_bias',
    'apply_cutmix',
    'apply_mask',
    'boxes_to_masks',
    'class_shares',
    'class_sums',
    'ema_update',
    'prototype_weights',
    'rectify',
    'sample_cutmix_box',
    'total_variation',
    'update_prototypes',
]
