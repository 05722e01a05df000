"""Losses."""

from .pseudo_label_loss import PseudoLabelLoss, pseudo_label_loss

__all__ = ['PseudoLabelLoss', 'pseudo_label_loss']
