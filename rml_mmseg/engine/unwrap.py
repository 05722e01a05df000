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
    """Whether a model, what it wraps and its students are in training mode.

    Asked in every iteration, as walking through all modules would cost some
    milliseconds of each.
    """
    inner = unwrap(model)
    networks = [model, inner, *getattr(inner, 'students', ())]
    return all(network.training for network in networks)
