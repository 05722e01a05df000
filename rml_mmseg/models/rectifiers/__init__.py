"""Rectifiers."""

from .prototype_rectifier import PrototypeRectifier
from .rectifier import Rectifier

__all__ = ['PrototypeRectifier', 'Rectifier']
