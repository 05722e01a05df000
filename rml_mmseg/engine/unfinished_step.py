"""What is accumulated for a step of the optimisers that is still to come."""

from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn


def collect(model: nn.Module, wrapper: OptimWrapper) -> dict[str, Any]:
    """Accumulated gradients, and features for the prototypes.

    A checkpoint in the middle of an accumulated step needs them, or a
    resumed run would step with a part of the gradient.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        wrapper (OptimWrapper): Of its optimisers.

    Returns:
        dict: ``gradients`` by name of the parameter, ``pending`` by index of
        the rectifier, all on the CPU, and ``finite``, whether the losses are,
        as far as the wrapper looks.
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
    """Put back what ``collect`` gave.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        wrapper (OptimWrapper): Of its optimisers.
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
    if hasattr(wrapper, 'finite'):
        # Checkpoints of before do not say.
        wrapper.finite = torch.tensor(state.get('finite', True))
