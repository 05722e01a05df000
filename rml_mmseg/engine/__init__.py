"""Hooks, loops and optimiser set-up."""

from .hooks import (
    ImageScoresHook,
    MutualEMAHook,
    PseudoLabelMonitorHook,
    SemiSegVisualizationHook,
)
from .loops import StagedTrainLoop
from .optimizers import MutualOptimWrapper, MutualOptimWrapperConstructor

__all__ = [
    'ImageScoresHook',
    'MutualEMAHook',
    'MutualOptimWrapper',
    'MutualOptimWrapperConstructor',
    'PseudoLabelMonitorHook',
    'SemiSegVisualizationHook',
    'StagedTrainLoop',
]
