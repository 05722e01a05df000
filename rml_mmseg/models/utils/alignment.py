"""Distribution alignment: the class shares of rectified labels."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

# Least share, so that a class whose labels vanish can still recover.
LEAST = 1e-16
# Largest log factor (a factor of 55) by a strength above 1, which would
# overshoot where the shares differ much.
LARGEST_BIAS = 4.0


def class_shares(
    probs: Tensor, weights: Tensor, valid: Optional[Tensor] = None
) -> Tensor:
    """Share of each class in the images, before and after weighting.

    Args:
        probs (Tensor): Soft pseudo labels p0, (N, K, H, W), not negative.
        weights (Tensor): Class-wise confidence (N, K, h, w), not negative.
        valid (Tensor, optional): (N, H, W) bool, False on padding, which
            is not counted. Defaults to None: all.

    Returns:
        Tensor: Sums over the h * w positions of p0 and of the normalised
        product of Eq. 6, (K, 2), float32. Labels are resized to the weights,
        as resizing the weights would cost more than rectifying.
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


def label_shares(labels: Tensor, num_classes: int) -> Tensor:
    """Share of each class in labelled images.

    Args:
        labels (Tensor): Class ids of any shape. Ids outside of
            [0, num_classes) are not counted.
        num_classes (int): Number of classes K.

    Returns:
        Tensor: Number of pixels of each class, (K,), float32.
    """
    ids = labels.flatten().long()
    known = (ids >= 0) & (ids < num_classes)
    # Indexing with a mask, and bincount, would wait for the GPU.
    counts = torch.zeros(num_classes, device=labels.device)
    return counts.index_add_(0, torch.where(known, ids, 0), known.float())


def alignment_bias(shares: Tensor, strength: float) -> Tensor:
    """Log factors that move rectified labels towards the wanted shares.

    Distribution alignment, section 3.1 of ReMixMatch (arXiv 1911.09785).

    Args:
        shares (Tensor): Wanted shares and shares of rectified labels,
            (K, 2), each column in its own unit.
        strength (float): Power of the ratio wanted / rectified. One step
            with 1 does not reach the wanted shares, as classes compete. A
            power above 1 is limited to a factor of 55, or to the ratio
            itself where that is larger.

    Returns:
        Tensor: (K,), 0 for a class without a wanted share so far.
    """
    seen = (shares[:, :1] > 0) & shares.sum(0).gt(0).all()
    shares = torch.where(seen, shares, 0.0)
    shares = (shares / shares.sum(0).clamp(min=1e-20)).clamp(min=LEAST)
    wanted, found = torch.where(seen, shares, 1.0).log().unbind(1)
    gap = wanted - found
    size = gap.abs()
    return gap.sign() * (strength * size).minimum(size.clamp(min=LARGEST_BIAS))
