"""Samplers."""

from .semi_seg_sampler import Draw, SemiSegSampler

__all__ = ['Draw', 'SemiSegSampler']
