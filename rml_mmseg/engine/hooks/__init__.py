"""Hooks."""

from .mutual_ema_hook import MutualEMAHook

__all__ = ['MutualEMAHook']
