"""Evaluation."""

from .metrics import LearnersIoUMetric

__all__ = ['LearnersIoUMetric']
