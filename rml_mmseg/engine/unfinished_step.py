"""What is accumulated for a step of the optimisers that is still to come."""

from typing import Any

import torch
from torch import nn


def collect(model: nn.Module) -> dict[str, Any]:
    """Accumulated gradients, and features for the prototypes.

    A checkpoint in the middle of an accumulated step needs them, or a
    resumed run would step with a part of the gradient.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.

    Returns:
        dict: ``gradients`` by name of the parameter, and ``pending`` by
        index of the rectifier, all on the CPU.
    """
    rectifiers: Any = model.rectifiers
    return dict(
        gradients={
            name: parameter.grad.detach().cpu()
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        },
        pending={
            i: rectifier.pending.cpu()
            for i, rectifier in enumerate(rectifiers)
            if rectifier.pending is not None
        },
    )


def restore(model: nn.Module, state: dict[str, Any]) -> None:
    """Put back what ``collect`` gave.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        state (dict): As of ``collect``.
    """
    parameters = dict(model.named_parameters())
    for name, gradient in state['gradients'].items():
        parameter = parameters[name]
        parameter.grad = gradient.to(parameter, copy=True)
    rectifiers: Any = model.rectifiers
    device = next(model.parameters()).device
    for i, pending in state['pending'].items():
        rectifiers[i].pending = torch.clone(pending).to(device)
