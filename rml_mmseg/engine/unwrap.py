"""The model inside of its wrapper."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> Any:
    """The model itself where it is wrapped, as by DDP or for TTA."""
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    return inner


def in_training(model: nn.Module) -> bool:
    """Whether a model, its students and their parts are in training mode.

    Parts are a student's backbone, neck and heads; what lies in them is not
    looked at.

    Asked in every iteration, as walking through all modules would cost some
    milliseconds of each.
    """
    inner = unwrap(model)
    students = list(getattr(inner, 'students', ()))
    parts = [part for student in students for part in student.children()]
    return all(m.training for m in (model, inner, *students, *parts))
