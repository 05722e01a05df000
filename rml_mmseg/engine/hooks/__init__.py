"""Hooks."""

from .mutual_ema_hook import MutualEMAHook
from .pseudo_label_monitor_hook import PseudoLabelMonitorHook
from .semi_seg_visualization_hook import SemiSegVisualizationHook

__all__ = [
    'MutualEMAHook',
    'PseudoLabelMonitorHook',
    'SemiSegVisualizationHook',
]
