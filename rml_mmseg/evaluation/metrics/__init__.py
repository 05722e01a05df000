"""Metrics."""

from .learners_iou_metric import LearnersIoUMetric

__all__ = ['LearnersIoUMetric']
