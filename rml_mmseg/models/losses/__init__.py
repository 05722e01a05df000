"""Losses."""

from .consistency_loss import ConsistencyLoss, consistency_loss
from .dynamic_mutual_loss import DynamicMutualLoss
from .pseudo_label_loss import PseudoLabelLoss, pseudo_label_loss

__all__ = [
    'ConsistencyLoss',
    'DynamicMutualLoss',
    'PseudoLabelLoss',
    'consistency_loss',
    'pseudo_label_loss',
]
