"""Perturbation of the features between an encoder and its head."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from .segmentor_forward import forward_logits, kept_statistics


def drop_channels(features: Any, share: float) -> Any:
    """Features of all levels without some of their channels.

    Args:
        features (Tensor | Sequence): (N, C, h, w) or (N, C), or levels of
            such.
        share (float): Probability that a channel of an image is dropped;
            the others are scaled up by ``1 / (1 - share)``.
    """
    if isinstance(features, Tensor):
        # A token beside a map has no positions.
        drop = F.dropout2d if features.dim() == 4 else F.dropout
        return drop(features, share)
    return type(features)(drop_channels(level, share) for level in features)


def dropped_forward(
    segmentor: Any, images: Tensor, share: float, statistics: bool = True
) -> Tensor:
    """Logits from an encoder's features of which channels were dropped.

    The feature perturbation of UniMatch (Yang et al., 2023, section 3.2).

    Args:
        segmentor (EncoderDecoder): A stock segmentor in train mode.
        images (Tensor): (N, 3, H, W).
        share (float): Share of the channels to drop.
        statistics (bool): Whether the images move the running statistics
            of batch normalisation. Defaults to True.

    Returns:
        Tensor: Unscaled logits (N, K, h, w).
    """
    encoder = segmentor.neck if segmentor.with_neck else segmentor.backbone
    handle = encoder.register_forward_hook(
        lambda module, args, output: drop_channels(output, share)
    )
    try:
        with kept_statistics(segmentor, not statistics):
            return forward_logits(segmentor, images)
    finally:
        handle.remove()
