"""Losses of a prediction against the targets of a student."""

import inspect
from typing import Any

from torch import Tensor, nn

from .pseudo_labels import Target, is_map


def target_costs(
    loss: nn.Module, logits: Tensor, targets: list[Target], valid: Tensor
) -> list[tuple[str, Tensor]]:
    """Weighted loss of each target, a term of Eq. 5.

    Args:
        loss (nn.Module): For example ``PseudoLabelLoss``.
        logits (Tensor): (N, K, H, W).
        targets (list[tuple]): Names, labels (N, H, W) or probabilities
            (N, K, H, W), and weights, one number or (N, H, W).
        valid (Tensor): (N, H, W), bool.

    Returns:
        list[tuple]: Names and scalar losses.

    Raises:
        ValueError: If the loss does not return one scalar for each target,
            or takes no ``weights`` although the rectifier weights pixels.
    """
    names, labels, weights = zip(*targets)
    of_pixels = [weight if is_map(weight) else None for weight in weights]
    more: dict[str, Any] = {}
    if any(weight is not None for weight in of_pixels):
        if 'weights' not in inspect.signature(loss.forward).parameters:
            raise ValueError(
                f'semi_train_cfg.loss: {type(loss).__name__} must accept '
                'weights=[(V, H, W) or None, ...], one for each set of '
                'labels, because the rectifier weighs pixels; or use '
                'PseudoLabelLoss'
            )
        more['weights'] = of_pixels
    costs = loss(logits, list(labels), valid, **more)
    several = isinstance(costs, (list, tuple))
    shapes = [tuple(x.shape) for x in costs] if several else type(costs)
    if shapes != [()] * len(targets):
        raise ValueError(
            f'semi_train_cfg.loss: {type(loss).__name__} must return a list '
            f'of {len(targets)} scalars, one for each set of labels, but '
            f'returned {shapes}'
        )
    return [
        (name, cost if is_map(weight) else weight * cost)
        for name, weight, cost in zip(names, weights, costs)
    ]
