"""Losses."""

from .consistency_loss import ConsistencyLoss, consistency_loss
from .pseudo_label_loss import PseudoLabelLoss, pseudo_label_loss

__all__ = [
    'ConsistencyLoss',
    'PseudoLabelLoss',
    'consistency_loss',
    'pseudo_label_loss',
]
