"""The model inside of its wrapper."""

from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> Any:
    """The model itself where it is wrapped, as by DDP."""
    return model.module if is_model_wrapper(model) else model
