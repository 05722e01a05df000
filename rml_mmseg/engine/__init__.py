"""Hooks, loops and optimiser set-up."""

from .hooks import (
    AtomicCheckpointHook,
    CompileBackbonesHook,
    ImageScoresHook,
    InterruptionHook,
    MutualEMAHook,
    PseudoLabelMonitorHook,
    RecordingHook,
    SemiSegVisualizationHook,
)
from .loops import StagedTrainLoop
from .optimizers import (
    BFloat16OptimWrapper,
    MutualOptimWrapper,
    MutualOptimWrapperConstructor,
)

__all__ = [
    'AtomicCheckpointHook',
    'BFloat16OptimWrapper',
    'CompileBackbonesHook',
    'ImageScoresHook',
    'InterruptionHook',
    'MutualEMAHook',
    'MutualOptimWrapper',
    'MutualOptimWrapperConstructor',
    'PseudoLabelMonitorHook',
    'RecordingHook',
    'SemiSegVisualizationHook',
    'StagedTrainLoop',
]
