"""Optimiser set-up."""

from .mutual_optim_wrapper import MutualOptimWrapper
from .mutual_optim_wrapper_constructor import MutualOptimWrapperConstructor

__all__ = ['MutualOptimWrapper', 'MutualOptimWrapperConstructor']
