"""Segmentors."""

from .mutual_semi_segmentor import MutualSemiSegmentor

__all__ = ['MutualSemiSegmentor']
