"""Hooks."""

from .mutual_ema_hook import MutualEMAHook
from .pseudo_label_monitor_hook import PseudoLabelMonitorHook

__all__ = ['MutualEMAHook', 'PseudoLabelMonitorHook']
