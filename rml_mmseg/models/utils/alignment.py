"""Rectified labels that keep the teacher's share of each class."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def class_shares(
    probs: Tensor, weights: Tensor, valid: Optional[Tensor] = None
) -> Tensor:
    """How much of the images each class has, before and after weighing.

    Args:
        probs (Tensor): Soft pseudo labels p0, (N, K, H, W), not negative.
        weights (Tensor): Class-wise confidence (N, K, h, w), not negative.
        valid (Tensor, optional): (N, H, W) bool, False on padding, which
            counts for nothing. Defaults to None: all.

    Returns:
        Tensor: Sums over the h * w positions of p0 and of the normalised
        product of Eq. 6, (K, 2), float32. Labels are read where the weights
        lie, as resizing the weights would cost more than rectifying.
    """
    size = weights.shape[-2:]
    with torch.autocast(probs.device.type, enabled=False):
        before = F.interpolate(probs, size=size, mode='nearest').float()
        if valid is not None:
            inside = F.interpolate(valid[:, None].float(), size=size)
            before = torch.where(inside > 0, before, 0.0)
        after = before * weights.float()
        after /= after.sum(1, keepdim=True).clamp_(min=1e-20)
        return torch.stack([before.sum((0, 2, 3)), after.sum((0, 2, 3))], 1)


def alignment_bias(shares: Tensor, strength: float) -> Tensor:
    """Log factors that bring the shares of rectified labels back.

    Distribution alignment, section 3.1 of ReMixMatch (arXiv 1911.09785),
    with the teacher's own labels in the place of the known labels.

    Args:
        shares (Tensor): As of ``class_shares``, (K, 2), or a sum of such.
        strength (float): Power of the quotient before / after. One step
            with 1 does not reach the shares before, as classes compete.

    Returns:
        Tensor: (K,), 0 for a class that was not seen.
    """
    seen = (shares > 0).all(1)
    before, after = torch.where(seen[:, None], shares, 1.0).log().unbind(1)
    return strength * (before - after)
