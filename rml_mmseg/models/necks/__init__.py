"""Necks."""

from .readout_neck import ReadoutNeck
from .transformer_neck import TransformerNeck

__all__ = ['ReadoutNeck', 'TransformerNeck']
