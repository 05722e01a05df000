"""Hooks, loops and optimiser set-up."""

from .hooks import (
    MutualEMAHook,
    PseudoLabelMonitorHook,
    SemiSegVisualizationHook,
)
from .loops import StagedTrainLoop
from .optimizers import MutualOptimWrapper, MutualOptimWrapperConstructor

__all__ = [
    'MutualEMAHook',
    'MutualOptimWrapper',
    'MutualOptimWrapperConstructor',
    'PseudoLabelMonitorHook',
    'SemiSegVisualizationHook',
    'StagedTrainLoop',
]
