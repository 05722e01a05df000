"""Features and logits of stock segmentors, whatever their head."""

from typing import Any, NamedTuple, Optional

import torch
from mmseg.models.decode_heads import (
    Mask2FormerHead,
    MaskFormerHead,
    PIDHead,
    PointHead,
    SegmenterMaskTransformerHead,
)
from mmseg.structures import SegDataSample
from torch import Tensor, nn

MASK_HEADS = (MaskFormerHead, Mask2FormerHead)
"""Heads that predict masks, and the class of each."""
EPS = 1e-12


class FeatureLayer(NamedTuple):
    """Layer of a head at which the features f of h = g(f) are found.

    Attributes:
        layer (nn.Module): A layer of the head.
        is_input (bool): Whether the features are its input; else its output,
            a map (N, C, h, w) or tokens (N, h * w, C).
        channels (int): Number C of their channels.
    """

    layer: nn.Module
    is_input: bool
    channels: int


def final_head(segmentor: Any) -> Any:
    """Head with the final logits, the last of a cascade.

    A ``PointHead``, which refines some pixels of the head before it, does
    not count.
    """
    head = segmentor.decode_head
    if not isinstance(head, nn.ModuleList):
        return head
    return head[-2] if isinstance(head[-1], PointHead) else head[-1]


def feature_layer(segmentor: Any) -> Optional[FeatureLayer]:
    """Layer at which a segmentor's features are; None if it has none.

    The features are the input of the classifier ``conv_seg`` (for K-Net, of
    its first stage). For heads that predict masks, such as Segmenter's, they
    are the pixel features that each mask is a product with.
    """
    head = final_head(segmentor)
    if isinstance(head, SegmenterMaskTransformerHead):
        layer = head.patch_proj
        return FeatureLayer(layer, False, layer.out_features)
    if isinstance(head, MASK_HEADS):
        layer = head.pixel_decoder.mask_feature
        return FeatureLayer(layer, False, layer.out_channels)
    head = getattr(head, 'kernel_generate_head', head)
    layer = getattr(head, 'conv_seg', None)
    if layer is None:
        return None
    return FeatureLayer(layer, True, layer.in_channels)


def forward_logits(segmentor: Any, images: Tensor) -> Tensor:
    """Unscaled logits (N, K, h, w) of a stock segmentor.

    For heads with several outputs they are the output used in tests: the
    first of a tuple (DANet, DDRNet), the second for PIDNet, and the last of
    a list (the stages of K-Net). For PointRend they are the output before
    points are refined.
    """
    head = final_head(segmentor)
    if isinstance(head, MASK_HEADS):
        return _of_masks(head, segmentor.extract_feat(images))
    heads = segmentor.decode_head
    if isinstance(heads, nn.ModuleList) and heads[-1] is not head:
        return _before_points(segmentor, images)
    output = segmentor._forward(images)
    if isinstance(output, Tensor):
        return output
    if isinstance(output, list):
        return output[-1]
    return output[1 if isinstance(head, PIDHead) else 0]


def class_probs(segmentor: Any, predicted: Tensor) -> Tensor:
    """Class probabilities from a segmentor's prediction.

    Args:
        segmentor (EncoderDecoder): A stock segmentor.
        predicted (Tensor): Its test prediction (N, K, H, W): logits or, for
            heads that predict masks, the sums of :func:`mask_logits`.

    Returns:
        Tensor: (N, K, H, W), float32.
    """
    if isinstance(final_head(segmentor), MASK_HEADS):
        return sums_to_logits(predicted).softmax(1)
    return predicted.float().softmax(1)


def sums_to_logits(sums: Tensor) -> Tensor:
    """Logits whose softmax is sums (N, K, ...) divided by their total."""
    return sums.float().clamp(min=EPS).log()


def mask_logits(classes: Tensor, masks: Tensor) -> Tensor:
    """Pixel logits from masks and their class logits.

    The semantic inference of MaskFormer (Cheng et al., 2021, section 3.4)
    sums, over all masks, the probability that a mask has the class and
    contains the pixel. These sums are not logits: their softmax is flat.
    Their logarithms are: the softmax is the share of the class in the
    total, and the largest class stays the same.

    Args:
        classes (Tensor): Class logits of Q masks, the last class being "no
            object", (N, Q, K + 1).
        masks (Tensor): Pixel logits of the masks, (N, Q, h, w).

    Returns:
        Tensor: (N, K, h, w), float32.
    """
    probs = classes.float().softmax(-1)[..., :-1]
    inside = masks.float().sigmoid()
    return sums_to_logits(torch.einsum('nqk,nqhw->nkhw', probs, inside))


def _of_masks(head: Any, features: Any) -> Tensor:
    """Logits of a head that predicts masks."""
    size = tuple(features[0].shape[-2:])
    metainfo = dict(img_shape=size, batch_input_shape=size)
    samples = [SegDataSample(metainfo=metainfo) for _ in features[0]]
    classes, masks = head(features, samples)
    return mask_logits(classes[-1], masks[-1])


def _before_points(segmentor: Any, images: Tensor) -> Tensor:
    """Logits of a cascade without its last head, which refines points."""
    features = segmentor.extract_feat(images)
    first, *others = segmentor.decode_head[:-1]
    logits = first.forward(features)
    for head in others:
        logits = head.forward(features, logits)
    return logits
