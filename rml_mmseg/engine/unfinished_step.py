"""What is accumulated for an optimiser step that is still to come."""

from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn


def collect(model: nn.Module, wrapper: OptimWrapper) -> dict[str, Any]:
    """Collect accumulated gradients, and features for the prototypes.

    A checkpoint in the middle of an accumulated step needs them; without
    them a resumed run would step with only a part of the gradient.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        wrapper (OptimWrapper): Its optimiser wrapper.

    Returns:
        dict: ``gradients`` by parameter name and ``pending`` features by
        rectifier index, on the CPU, and ``finite``: whether all accumulated
        losses are, or True if the wrapper does not check them.
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
        finite=bool(getattr(wrapper, 'finite', True)),
    )


def restore(
    model: nn.Module, wrapper: OptimWrapper, state: dict[str, Any]
) -> None:
    """Restore what ``collect`` returned.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        wrapper (OptimWrapper): Its optimiser wrapper.
        state (dict): Returned by ``collect``.
    """
    parameters = dict(model.named_parameters())
    for name, gradient in state['gradients'].items():
        parameter = parameters[name]
        parameter.grad = gradient.to(parameter, copy=True)
    rectifiers: Any = model.rectifiers
    device = next(model.parameters()).device
    for i, pending in state['pending'].items():
        rectifiers[i].pending = torch.clone(pending).to(device)
    if hasattr(wrapper, 'finite'):
        # Older checkpoints do not have it.
        wrapper.finite = torch.tensor(state.get('finite', True))
