"""Class prototypes and class-wise confidence, Eq. 9 to 11 of RML."""

from collections.abc import Iterator
from typing import Optional

import torch
from torch import Tensor

from . import batched_prototypes

# Few enough to stay in a CPU's cache from one step to the next.
CACHED_ELEMENTS = 2**18


def _on_cpu(features: Tensor) -> bool:
    """Whether to work in small pieces, which stay in a CPU's cache."""
    return features.device.type == 'cpu'


def _chunks(features: Tensor) -> Iterator[tuple[int, slice, Tensor]]:
    """Yield float32 pieces (C, p) of features, to avoid large copies.

    Args:
        features (Tensor): (N, C, h, w).

    Yields:
        tuple: Item, slice of its h * w positions, and the piece.
    """
    flat = features.flatten(2)
    n, c, size = flat.shape
    step = max(CACHED_ELEMENTS // max(c, 1), 1)
    for i in range(n):
        for start in range(0, size, step):
            place = slice(start, min(start + step, size))
            piece = flat[i : i + 1, :, place].transpose(0, 1).reshape(c, -1)
            yield i, place, piece.float()


def _no_autocast(tensor: Tensor) -> torch.autocast:
    """Keep products in float32 under mixed precision."""
    return torch.autocast(tensor.device.type, enabled=False)


def class_sums(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    ignore_index: int = 255,
) -> tuple[Tensor, Tensor]:
    """Sum of the features of every class, the numerator of Eq. 10.

    Args:
        features (Tensor): (N, C, h, w).
        labels (Tensor): Class ids, (N, h, w). Ids outside of
            [0, num_classes) belong to no class, nor do features that are not
            finite.
        num_classes (int): Number of classes K.
        ignore_index (int): Label that belongs to no class. Defaults to 255.

    Returns:
        tuple[Tensor, Tensor]: Sums (K, C) and pixel counts (K,), float32.

    Raises:
        ValueError: If features and labels differ in N, h or w.
    """
    n, c, h, w = features.shape
    if labels.shape != (n, h, w):
        raise ValueError(
            f'labels must have the shape {(n, h, w)} of the features, got '
            f'{tuple(labels.shape)}'
        )
    with _no_autocast(features):
        if not _on_cpu(features):
            labels = _finite_labels(features, labels, ignore_index)
            return batched_prototypes.class_sums(
                features, labels, num_classes, ignore_index
            )
        sums, counts = _sums_by_chunk(
            features, labels, num_classes, ignore_index
        )
        if sums.isfinite().all():
            return sums, counts
        labels = _finite_labels(features, labels, ignore_index)
        return _sums_by_chunk(features, labels, num_classes, ignore_index)


def _finite_labels(
    features: Tensor, labels: Tensor, ignore_index: int
) -> Tensor:
    """Ignore the labels of features that are not finite.

    In a product of memberships with features, one such feature would spoil
    the sums of all classes.
    """
    # The sum over the channels needs little memory.
    finite = features.sum(1, dtype=torch.float32).isfinite()
    return labels.masked_fill(~finite, ignore_index)


def _sums_by_chunk(
    features: Tensor, labels: Tensor, num_classes: int, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """``class_sums`` on a CPU, in pieces that stay in its cache."""
    ids = labels.flatten(1)
    sums = features.new_zeros(
        num_classes, features.shape[1], dtype=torch.float32
    )
    counts = sums.new_zeros(num_classes)
    for item, place, piece in _chunks(features):
        part = ids[item, place]
        # A piece has only few of many classes.
        classes = part.unique()
        classes = classes[(classes >= 0) & (classes < num_classes)]
        member = part == classes.unsqueeze(1)
        if 0 <= ignore_index < num_classes:
            member &= part != ignore_index
        known = member.any(0)
        if not known.all():
            # A feature without a class may be anything, even NaN.
            piece = torch.where(known, piece, 0.0)
        member = member.float()
        sums.index_add_(0, classes, member @ piece.t())
        counts.index_add_(0, classes, member.sum(1))
    return sums, counts


def update_prototypes(
    prototypes: Tensor, sums: Tensor, counts: Tensor, momentum: float
) -> Tensor:
    """Moving average of the prototypes with the batch's means (Eq. 11).

    Args:
        prototypes (Tensor): (K, C).
        sums (Tensor): Feature sums of the batch, (K, C).
        counts (Tensor): Pixels of each class in the batch, (K,).
        momentum (float): Share of the old prototype that stays, in [0, 1].

    Returns:
        Tensor: New prototypes (K, C), float32; a class that is absent from
        the batch keeps its prototype.

    Raises:
        ValueError: If ``momentum`` is outside of [0, 1].
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f'momentum must be in [0, 1], got {momentum}')
    prototypes = prototypes.float()
    means = sums.float() / counts.float().clamp(min=1).unsqueeze(1)
    moved = momentum * prototypes + (1 - momentum) * means
    return torch.where((counts > 0).unsqueeze(1), moved, prototypes)


def _centre(
    prototypes: Tensor, unknown: Optional[Tensor], count: Tensor
) -> Tensor:
    """Mean of the initialised prototypes, (1, C).

    A common shift changes no distance, and the smaller the numbers are, the
    less precision is lost by cancellation in |f|^2 - 2 f.p + |p|^2.

    Args:
        prototypes (Tensor): (K, C).
        unknown (Tensor, optional): (K,) bool, True for classes without a
            prototype. None if all have one.
        count (Tensor): Number of classes with a prototype, ().
    """
    if unknown is not None:
        prototypes = prototypes.masked_fill(unknown.unsqueeze(1), 0)
    return prototypes.sum(0, keepdim=True) / count


def _squares_by_chunk(
    features: Tensor, prototypes: Tensor, centre: Tensor
) -> Iterator[tuple[int, slice, Tensor]]:
    """Yield squared distances to the prototypes, in pieces of positions.

    Args:
        features (Tensor): (N, C, h, w).
        prototypes (Tensor): (K, C).
        centre (Tensor): Subtracted from both, (1, C).

    Yields:
        tuple: Item, slice of its h * w positions, and squared Euclidean
        distances (1, K, p), which rounding may make negative.
    """
    centred = prototypes - centre
    norms = centred.square().sum(1, keepdim=True)
    for item, place, piece in _chunks(features):
        piece = piece - centre.t()
        square = torch.addmm(norms, centred, piece, alpha=-2)
        # A norm over a dimension other than the last takes ten times as
        # long on a CPU.
        square += piece.square_().sum(0)
        yield item, place, square.unsqueeze(0)


def _mean_where(unknown: Tensor, logits: Tensor, count: Tensor) -> Tensor:
    """Give unknown classes (K, 1) the others' mean in logits (N, K, p).

    The mean is that of the ``count`` others' exponentials. With no others,
    all classes get the same.
    """
    logits = logits.masked_fill(unknown, -torch.inf)
    mean = logits.logsumexp(1, keepdim=True) - count.log()
    mean = mean.clamp(min=torch.finfo(mean.dtype).min)
    return torch.where(unknown, mean, logits)


@torch.no_grad()
def prototype_weights(
    features: Tensor,
    prototypes: Tensor,
    temperature: float = 1.0,
    initialised: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
) -> Tensor:
    """Class-wise confidence of Eq. 9: softmax of the negative distances.

    Computed without gradients.

    Args:
        features (Tensor): Teacher features (N, C, h, w).
        prototypes (Tensor): (K, C).
        temperature (float): Factor of the distances before the softmax;
            larger is sharper. Defaults to 1.0, the paper's.
        initialised (Tensor, optional): (K,) bool. A class without a
            prototype gets the mean of the others' weights before they are
            normalised, so it is neither favoured nor ruled out. Defaults
            to None: all have one.
        bias (Tensor, optional): (K,), added before the softmax. Not in
            the paper. Defaults to None.

    Returns:
        Tensor: Weights (N, K, h, w), float32, summing to 1 over K.
    """
    n, _, h, w = features.shape
    unknown = None if initialised is None else ~initialised
    # On a GPU, `any` would wait for the device.
    if unknown is not None and unknown.is_cpu and not unknown.any():
        unknown = None
    count = torch.tensor(len(prototypes))
    if unknown is not None:
        count = (~unknown).sum().clamp(min=1)

    def finish(square: Tensor) -> Tensor:
        logits = square.clamp_(min=0).sqrt_().mul_(-temperature)
        if unknown is not None:
            logits = _mean_where(unknown.unsqueeze(1), logits, count)
        if bias is not None:
            logits += bias.unsqueeze(1)
        return logits.softmax(1)

    with _no_autocast(features):
        prototypes = prototypes.float()
        centre = _centre(prototypes, unknown, count)
        if not _on_cpu(features):
            squares = batched_prototypes.squared_distances(
                features, prototypes, centre
            )
            return finish(squares).view(n, -1, h, w)
        weights = centre.new_empty(n, len(prototypes), h * w)
        for item, place, square in _squares_by_chunk(
            features, prototypes, centre
        ):
            # While `square` is still in the CPU's cache.
            weights[item, :, place] = finish(square)[0]
        return weights.view(n, -1, h, w)
