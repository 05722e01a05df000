"""Optimiser set-up."""

from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .mutual_optim_wrapper import MutualOptimWrapper
from .mutual_optim_wrapper_constructor import MutualOptimWrapperConstructor

__all__ = [
    'BFloat16OptimWrapper',
    'MutualOptimWrapper',
    'MutualOptimWrapperConstructor',
]
