"""Metrics."""

from .class_iou_metric import ClassIoUMetric
from .learners_iou_metric import LearnersIoUMetric

__all__ = ['ClassIoUMetric', 'LearnersIoUMetric']
