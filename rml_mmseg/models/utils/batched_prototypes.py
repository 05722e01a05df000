"""Class sums and distances in few large steps, for a GPU."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Number of feature elements that a step may copy.
LARGE_ELEMENTS = 18 * 2**20


def _steps(flat: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of items and positions of (N, C, p) for each step."""
    n, c, size = flat.shape
    fit = LARGE_ELEMENTS // max(c, 1)
    step, count = max(fit, 1), max(fit // max(size, 1), 1)
    for i in range(0, n, count):
        for start in range(0, size, step):
            yield slice(i, i + count), slice(start, start + step)


def class_sums(
    features: Tensor, labels: Tensor, num_classes: int, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Sums of Eq. 10 as products with the membership of each class.

    Args:
        features (Tensor): (N, C, h, w).
        labels (Tensor): Class ids, (N, h, w).
        num_classes (int): Number of classes K.
        ignore_index (int): Label that belongs to no class.

    Returns:
        tuple[Tensor, Tensor]: Sums (K, C) and pixel counts (K,), float32.
    """
    flat, ids = features.flatten(2), labels.flatten(1).unsqueeze(1)
    classes = torch.arange(num_classes, device=labels.device)
    member = ids == classes.unsqueeze(1)
    if 0 <= ignore_index < num_classes:
        member &= ids != ignore_index
    outside = ~member.any(1, keepdim=True)
    sums = flat.new_zeros(num_classes, flat.shape[1], dtype=torch.float32)
    for items, place in _steps(flat):
        part = items, slice(None), place
        _add(sums, flat[part], member[part], outside[part])
    return sums, member.sum((0, 2)).float()


def _add(sums: Tensor, flat: Tensor, member: Tensor, outside: Tensor) -> None:
    """Add features (N, C, p) to the sums of their classes."""
    # A feature without a class may be anything, even NaN.
    flat = flat.masked_fill(outside, 0).float()
    # One item at a time: a batched product is not split along the positions,
    # which would leave most of a GPU's processors idle.
    for each, piece in zip(member.float(), flat):
        sums.addmm_(each, piece.t())


def squared_distances(
    features: Tensor, prototypes: Tensor, centre: Tensor
) -> Tensor:
    """Squared distances |f|^2 - 2 f.p + |p|^2 after centring.

    Args:
        features (Tensor): (N, C, h, w).
        prototypes (Tensor): (K, C), float32.
        centre (Tensor): Subtracted from both, (1, C), float32.

    Returns:
        Tensor: (N, K, h * w), float32; rounding may make it negative.
    """
    flat, centred = features.flatten(2), prototypes - centre
    norms = centred.square().sum(1, keepdim=True)
    n, k = len(flat), len(centred)
    squares = flat.new_empty(n, k, flat.shape[2], dtype=torch.float32)
    for items, place in _steps(flat):
        part = items, slice(None), place
        squares[part] = _squares(
            (flat[part] - centre.t()).float(), centred, norms
        )
    return squares


def _squares(piece: Tensor, centred: Tensor, norms: Tensor) -> Tensor:
    """Squared distances (N, K, p) of (N, C, p) to (K, C), both centred."""
    # One pass, without a copy of the squares.
    norm = torch.linalg.vector_norm(piece, dim=1, keepdim=True).square_()
    factors = centred.expand(len(piece), -1, -1)
    return torch.baddbmm(norm + norms, factors, piece, alpha=-2)
