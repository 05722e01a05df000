"""Evaluation."""

from .metrics import ClassIoUMetric, LearnersIoUMetric

__all__ = ['ClassIoUMetric', 'LearnersIoUMetric']
