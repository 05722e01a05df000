"""Rectified hard pseudo labels, Eq. 6 of RML."""

import functools
from collections.abc import Sequence
from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .rectified_labels_gpu import labels_on_gpu

# Pixels of a strip, which is as wide as the image so that memory is read in
# long runs.
STRIP_PIXELS = 2**14
# Limited, as resizing costs one product per pixel and weight below a piece.
MAX_ROWS, MAX_COLUMNS = 64, 64
# Products at a time: few enough to stay in a CPU's cache.
CACHED_ELEMENTS = 2**19
# With fewer classes, finding those that can win costs what it saves.
MANY_CLASSES = 32
# Up to this number, single pixels cost less than the whole strip.
FEW_PIXELS = 128
# More than the rounding error of resizing and multiplying in float32.
ROUNDING = 1e-5


class _Piece(NamedTuple):
    """A range of rows or columns and how it is resized.

    Attributes:
        image: The range in the image.
        source: The range of its weights.
        factors: Bilinear interpolation matrix, (image, source).
    """

    image: slice
    source: slice
    factors: Tensor


@functools.lru_cache(maxsize=64)
def _factors(source: int, size: int) -> Tensor:
    """Bilinear interpolation matrix of one side, (size, source)."""
    unit = torch.eye(source)[None]
    return F.interpolate(unit, size=size, mode='linear')[0].t().contiguous()


@functools.lru_cache(maxsize=64)
def _pieces(source: int, size: int, step: int) -> list[_Piece]:
    """Cut one side of an image into pieces.

    Args:
        source (int): Length of the side in the weights.
        size (int): Its length in the image, pixels.
        step (int): Length of a piece, pixels.
    """
    factors = _factors(source, size)
    pieces = []
    for start in range(0, size, step):
        image = slice(start, min(start + step, size))
        used = factors[image].any(0).nonzero().flatten().tolist()
        below = slice(used[0], used[-1] + 1)
        pieces.append(_Piece(image, below, factors[image, below].contiguous()))
    return pieces


def _widened(weights: Tensor, columns: list[_Piece]) -> Tensor:
    """Resize weights (K, h, w) to the columns of the image, (K, h, W)."""
    wide = [weights[:, :, c.source] @ c.factors.t() for c in columns]
    return torch.cat(wide, -1)


def _some(tensor: Tensor, ids: Sequence[int]) -> Tensor:
    """Some classes of a tensor, without a copy for a range of them."""
    if isinstance(ids, range):
        return tensor[ids.start : ids.stop]
    return tensor[list(ids)]


def _better(
    winner: Tensor, best: Tensor, other: Tensor, found: Tensor
) -> tuple[Tensor, Tensor]:
    """Larger of two products and its winner; the higher winner if equal."""
    highest = torch.maximum(winner, other)
    kept = torch.where(found == best, highest, winner)
    return torch.where(found > best, other, kept), torch.maximum(best, found)


class _Strip:
    """Rows of an image on a CPU; classes are computed as needed.

    Args:
        probs (Tensor): Soft labels of the strip, (K, H, W).
        weights (Tensor): Weights below it, (K, h, w), float32.
        rows (Tensor): Factors (H, h) of its rows.
        columns (list[_Piece], optional): Pieces of its columns; None if the
            weights are resized to all of them already, (K, h, W).
    """

    def __init__(
        self,
        probs: Tensor,
        weights: Tensor,
        rows: Tensor,
        columns: Optional[list[_Piece]] = None,
    ) -> None:
        self.probs = probs
        self.planes = probs.unbind()
        self.weights = weights
        self.rows = rows
        self.columns = columns
        # Highest for the first class, so that it wins a tie.
        self.rank = torch.arange(len(probs), 0, -1, dtype=torch.float32)
        self.best: Optional[Tensor] = None
        self.winner: Optional[Tensor] = None

    def _products(self, ids: Sequence[int]) -> Tensor:
        """Weight times probability of some classes, (k, H, W)."""
        weights = _some(self.weights, ids)
        if self.columns is not None:
            weights = _widened(weights, self.columns)
        products = self.rows @ weights
        # Avoids a copy of the probabilities.
        torch._foreach_mul_(products.unbind(), [self.planes[k] for k in ids])
        return products

    def compute(self, ids: Sequence[int]) -> None:
        """Compare further classes at every pixel."""
        step = max(CACHED_ELEMENTS // self.planes[0].numel(), 1)
        for start in range(0, len(ids), step):
            some = ids[start : start + step]
            products = self._products(some)
            best = products.amax(0)
            # Several times as fast as argmax over a dimension other than the
            # last, as long as no dtype is converted in between.
            rank = _some(self.rank, some).view(-1, 1, 1)
            winner = products.eq_(best).mul_(rank).amax(0)
            if self.best is not None and self.winner is not None:
                winner, best = _better(self.winner, self.best, winner, best)
            self.best, self.winner = best, winner

    def _compute_at(self, ids: list[int], rows: Tensor, at: Tensor) -> None:
        """Compare further classes at single pixels.

        Args:
            ids (list[int]): Classes.
            rows (Tensor): Rows of the pixels, (n,).
            at (Tensor): Their columns, (n,).
        """
        assert self.best is not None and self.winner is not None
        chosen = torch.tensor(ids)
        columns = _factors(self.weights.shape[-1], self.probs.shape[-1])
        weights = self.weights[chosen] @ columns[at].t()
        weights = (weights * self.rows[rows].t()).sum(1)
        products = weights * self.probs[chosen.unsqueeze(1), rows, at]
        best = products.amax(0)
        winner = ((products == best) * self.rank[chosen, None]).amax(0)
        place = rows, at
        self.winner[place], self.best[place] = _better(
            self.winner[place], self.best[place], winner, best
        )

    def labels(self) -> Tensor:
        """Winning class of each pixel, (H, W), float32."""
        assert self.winner is not None
        count = len(self.planes)
        # Where a product is NaN, no class has won.
        return (count - self.winner).clamp_(max=count - 1)

    def compute_able(self) -> None:
        """Compare only the classes that can win somewhere.

        A resized weight is at most the largest weight below, so a class is
        left out if its bound is less than the best product at every pixel.
        """
        bounds = self.weights.amax((1, 2)) * self.probs.amax((1, 2)).float()
        likely = bounds >= bounds.mean()
        ids = likely.nonzero().flatten().tolist()
        few = 0 < len(ids) <= len(bounds) // 4
        if not (few and bounds.isfinite().all()):
            self.compute(range(len(bounds)))
            return
        self.compute(ids)
        assert self.best is not None
        bounds = (bounds * (1 + ROUNDING)).masked_fill(likely, -1)
        ids = (~(bounds < self.best.min())).nonzero().flatten().tolist()
        if not ids:
            return
        rows, columns = (self.best <= bounds.max()).nonzero().unbind(1)
        if len(rows) <= FEW_PIXELS:
            self._compute_at(ids, rows, columns)
        else:
            self.compute(ids)


def _labels_by_strip(probs: Tensor, weights: Tensor) -> Tensor:
    """Labels on a CPU, in strips that stay in its cache."""
    n, k, height, width = probs.shape
    length = min(max(STRIP_PIXELS // width, 1), MAX_ROWS)
    rows = _pieces(weights.shape[-2], height, length)
    columns = _pieces(weights.shape[-1], width, MAX_COLUMNS)
    labels = torch.empty(n, height, width, dtype=torch.int64)
    many = k > MANY_CLASSES
    for i in range(n):
        below = weights[i].float()
        if not many:
            below = _widened(below, columns)
        for row in rows:
            strip = _Strip(
                probs[i, :, row.image],
                below[:, row.source],
                row.factors,
                columns if many else None,
            )
            if many:
                strip.compute_able()
            else:
                strip.compute(range(k))
            labels[i, row.image] = strip.labels()
    return labels


@torch.no_grad()
def rectify(probs: Tensor, weights: Tensor) -> Tensor:
    """Rectified hard pseudo labels, argmax_k of weight * probability (Eq. 6).

    Args:
        probs (Tensor): Soft pseudo labels p0, (N, K, H, W), not negative.
        weights (Tensor): Class-wise confidence (N, K, h, w), not negative;
            resized bilinearly to (H, W), ``align_corners=False``.

    Returns:
        Tensor: Class ids (N, H, W), int64.

    Raises:
        ValueError: If the two differ in N or K.
    """
    if probs.shape[:2] != weights.shape[:2]:
        raise ValueError(
            'probs and weights must have the same N and K, got '
            f'{tuple(probs.shape)} and {tuple(weights.shape)}'
        )
    with torch.autocast(probs.device.type, enabled=False):
        if probs.device.type == 'cpu':
            return _labels_by_strip(probs, weights)
        return labels_on_gpu(probs, weights)
