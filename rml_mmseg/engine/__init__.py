"""Hooks, loops and optimiser set-up."""

from .hooks import (
    CompileBackbonesHook,
    ImageScoresHook,
    MutualEMAHook,
    PseudoLabelMonitorHook,
    SemiSegVisualizationHook,
)
from .loops import StagedTrainLoop
from .optimizers import (
    BFloat16OptimWrapper,
    MutualOptimWrapper,
    MutualOptimWrapperConstructor,
)

__all__ = [
    'BFloat16OptimWrapper',
    'CompileBackbonesHook',
    'ImageScoresHook',
    'MutualEMAHook',
    'MutualOptimWrapper',
    'MutualOptimWrapperConstructor',
    'PseudoLabelMonitorHook',
    'SemiSegVisualizationHook',
    'StagedTrainLoop',
]
