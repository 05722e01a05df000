"""Pseudo-label rectifiers."""

from .prototype_rectifier import PrototypeRectifier

__all__ = ['PrototypeRectifier']
