"""Perturbation of the features between an encoder and its head."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .heads import forward_logits
from .segmentor_forward import changed_features, kept_statistics


def drop_channels(features: Any, share: float) -> Any:
    """Drop random channels from the features of all levels.

    Args:
        features (Tensor | Sequence): (N, C, h, w) or (N, C), or nested
            levels of these.
        share (float): Probability that a channel of an image is dropped;
            the others are scaled up by ``1 / (1 - share)``.

    Returns:
        Tensor | Sequence: Features of the same structure.
    """
    if isinstance(features, Tensor):
        # A readout token (N, C) has no positions.
        drop = F.dropout2d if features.dim() == 4 else F.dropout
        return drop(features, share)
    return type(features)(drop_channels(level, share) for level in features)


def dropped_forward(
    segmentor: Any, images: Tensor, share: float, statistics: bool = True
) -> Tensor:
    """Logits from encoder features with some channels dropped.

    The feature perturbation of UniMatch (Yang et al., 2023, section 3.2).

    Args:
        segmentor (EncoderDecoder): A stock segmentor in train mode.
        images (Tensor): (N, 3, H, W).
        share (float): Share of the channels to drop.
        statistics (bool): Whether the images update the running statistics
            of batch normalisation. Defaults to True.

    Returns:
        Tensor: Unscaled logits (N, K, h, w).
    """
    drop = partial(drop_channels, share=share)
    kept = kept_statistics(segmentor, not statistics)
    with kept, changed_features(segmentor, drop):
        return forward_logits(segmentor, images)


def _flat(features: Any) -> list[Tensor]:
    """Tensors of nested levels, in order."""
    if isinstance(features, Tensor):
        return [features]
    return [tensor for level in features for tensor in _flat(level)]


def divide_channels(features: Any, share: float, start: int = 0) -> Any:
    """Divide the channels of an image's features between its two views.

    For some of the images, one view keeps a random half of the channels and
    the other view the rest, scaled up by 2; the other images keep all
    (complementary dropout of UniMatch V2, Yang et al., 2025, section 3.3).
    Levels with the same number of channels are divided alike.

    Args:
        features (Tensor | Sequence): (M + 2N, C, ...): M images to leave as
            they are, N images in one view, and the same images in the other;
            or nested levels of these.
        share (float): Probability that the channels of an image are divided.
        start (int): M. Defaults to 0.

    Returns:
        Tensor | Sequence: Features of the same structure.
    """
    first = _flat(features)[0]
    count = (len(first) - start) // 2
    chosen = torch.rand(count, device=first.device) < share
    scales: dict[int, Tensor] = {}

    def scale(level: Any) -> Any:
        if not isinstance(level, Tensor):
            return type(level)(scale(item) for item in level)
        channels = level.shape[1]
        if channels not in scales:
            half = torch.randint(2, (count, channels), device=level.device)
            half = torch.where(chosen[:, None], 2 * half, 1)
            kept = half.new_ones(start, channels)
            scales[channels] = torch.cat([kept, half, 2 - half])
        shape = (*level.shape[:2], *[1] * (level.dim() - 2))
        return level * scales[channels].to(level.dtype).view(shape)

    return scale(features)
