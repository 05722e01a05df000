"""How closely two learners agree: the paper's model coupling."""

from typing import Optional

import torch
from torch import Tensor


def _valid_map(p: Tensor, q: Tensor, valid: Optional[Tensor]) -> Tensor:
    """Check shapes; return a bool map (N, H, W) of the pixels to count."""
    if p.ndim != 4:
        raise ValueError(
            f'p must have the shape (N, K, H, W), got {tuple(p.shape)}'
        )
    if q.shape != p.shape:
        raise ValueError(
            f'q must have the shape of p, {tuple(p.shape)}, got '
            f'{tuple(q.shape)}'
        )
    pixels = (p.shape[0], *p.shape[2:])
    if valid is None:
        return p.new_ones(pixels, dtype=torch.bool)
    if valid.shape != pixels:
        raise ValueError(
            f'valid must have the shape (N, H, W) = {pixels}, got '
            f'{tuple(valid.shape)}'
        )
    return valid.bool()


def _mean_of_valid(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid pixels; 0 if there are none."""
    # `where` and not a product: an invalid pixel may hold NaN.
    total = torch.where(valid, values, torch.zeros_like(values)).sum()
    return total / valid.sum().clamp(min=1)


def total_variation(
    p: Tensor, q: Tensor, valid: Optional[Tensor] = None
) -> Tensor:
    r"""Mean total variation distance between two class distributions.

    :math:`\frac{1}{|V|} \sum_{i \in V} \frac12 \sum_k |p_{ik} - q_{ik}|`,
    the quantity of the paper's Figure 2: 0 if two networks predict the same
    and 1 if they are certain of different classes everywhere.

    Args:
        p (Tensor): Probabilities of one learner (N, K, H, W).
        q (Tensor): Probabilities of the other, of the same shape.
        valid (Tensor | None): Pixels to count (N, H, W). Default: None, all.

    Returns:
        Tensor: float32 scalar in [0, 1]; 0 where no pixel is valid.

    Raises:
        ValueError: If the shapes do not fit.
    """
    mask = _valid_map(p, q, valid)
    distance = (p.float() - q.float()).abs().sum(dim=1) / 2
    return _mean_of_valid(distance, mask)


def agreement(p: Tensor, q: Tensor, valid: Optional[Tensor] = None) -> Tensor:
    """Share of pixels for which two learners predict the same class.

    Args:
        p (Tensor): Scores or probabilities of one learner (N, K, H, W).
        q (Tensor): Those of the other, of the same shape.
        valid (Tensor | None): Pixels to count (N, H, W). Default: None, all.

    Returns:
        Tensor: float32 scalar in [0, 1]; 0 where no pixel is valid.

    Raises:
        ValueError: If the shapes do not fit.
    """
    mask = _valid_map(p, q, valid)
    same = (p.argmax(dim=1) == q.argmax(dim=1)).float()
    return _mean_of_valid(same, mask)
