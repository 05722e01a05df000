"""Hooks."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .compile_backbones_hook import CompileBackbonesHook
from .image_scores_hook import ImageScoresHook
from .interruption_hook import InterruptionHook
from .mutual_ema_hook import MutualEMAHook
from .pseudo_label_monitor_hook import PseudoLabelMonitorHook
from .recording_hook import RecordingHook
from .semi_seg_visualization_hook import SemiSegVisualizationHook

__all__ = [
    'AtomicCheckpointHook',
    'CompileBackbonesHook',
    'ImageScoresHook',
    'InterruptionHook',
    'MutualEMAHook',
    'PseudoLabelMonitorHook',
    'RecordingHook',
    'SemiSegVisualizationHook',
]
