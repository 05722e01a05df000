"""What a prediction costs against the labels that a student learns from."""

from torch import Tensor, nn

from .pseudo_labels import Target


def target_costs(
    loss: nn.Module, logits: Tensor, targets: list[Target], valid: Tensor
) -> list[tuple[str, Tensor]]:
    """Weighted cost of each target, a term of Eq. 5.

    Args:
        loss (nn.Module): Such as ``PseudoLabelLoss``.
        logits (Tensor): (N, K, H, W).
        targets (list[tuple]): Names, labels (N, H, W) or probabilities
            (N, K, H, W), and weights.
        valid (Tensor): (N, H, W), bool.

    Returns:
        list[tuple]: Names, and scalars.

    Raises:
        ValueError: If the loss returns anything but a scalar for each.
    """
    costs = loss(logits, [labels for _, labels, _ in targets], valid)
    several = isinstance(costs, (list, tuple))
    shapes = [tuple(x.shape) for x in costs] if several else type(costs)
    if shapes != [()] * len(targets):
        raise ValueError(
            f'semi_train_cfg.loss: {type(loss).__name__} must return a list '
            f'of {len(targets)} scalars, one for each set of labels, and '
            f'returned {shapes}'
        )
    return [
        (name, weight * cost)
        for (name, _, weight), cost in zip(targets, costs)
    ]
