"""The model inside its wrappers."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> Any:
    """The model inside wrappers, such as those of DDP or TTA."""
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    return inner


def in_training(model: nn.Module) -> bool:
    """Whether a model, its students and their parts are in training mode.

    Parts are a student's backbone, neck and heads. Modules inside them are
    not checked: this runs in every iteration, and walking through all modules
    would cost some milliseconds each time.
    """
    inner = unwrap(model)
    students = list(getattr(inner, 'students', ()))
    parts = [part for student in students for part in student.children()]
    return all(m.training for m in (model, inner, *students, *parts))
