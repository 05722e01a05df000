"""Forward passes of a stock segmentor that RML needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Optional

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from .heads import feature_layer, final_head, forward_logits


def _leading(features: Any, count: int) -> Any:
    """The first items of a batch of nested multi-level features."""
    if isinstance(features, Tensor):
        return features[:count]
    return type(features)(_leading(level, count) for level in features)


def logits_of(
    segmentor: Any, images: Tensor, with_features: bool = False
) -> tuple[Tensor, Optional[Tensor]]:
    """Unscaled logits and, if asked for, the features they come from.

    ``encode_decode`` is not used: for a padded batch it crops to the size
    before padding.

    Args:
        segmentor (EncoderDecoder): A stock segmentor.
        images (Tensor): (N, 3, H, W).
        with_features (bool): Whether to return features.

    Returns:
        tuple: Logits (N, K, h, w) and features (N, C, h', w') or None.

    Raises:
        ValueError: If the head has no features.
    """
    if not with_features:
        return forward_logits(segmentor, images), None
    found = feature_layer(segmentor)
    if found is None:
        raise ValueError(
            f'{type(final_head(segmentor)).__name__} has no per-pixel '
            'features to return'
        )
    caught: list[Tensor] = []
    if found.is_input:
        handle = found.layer.register_forward_pre_hook(
            lambda module, args: caught.append(args[0])
        )
    else:
        handle = found.layer.register_forward_hook(
            lambda module, args, output: caught.append(output)
        )
    try:
        logits = forward_logits(segmentor, images)
    finally:
        handle.remove()
    features = caught[-1]
    if features.dim() == 3:
        # Tokens, one for each pixel of the logits.
        features = features.mT.reshape(len(features), -1, *logits.shape[-2:])
    return logits, features


def feature_labels(
    logits: Tensor, features: Tensor, valid: Tensor, ignore_index: int = 255
) -> Tensor:
    """Class that a network predicts for each of its features (Eq. 10).

    Args:
        logits (Tensor): Unscaled, (N, K, h', w').
        features (Tensor): Input of the classifier, (N, C, h, w).
        valid (Tensor): (N, H, W) bool, False on padding.
        ignore_index (int): Label of features that cover any padding.
            Defaults to 255.

    Returns:
        Tensor: Class ids (N, h, w).
    """
    size = features.shape[-2:]
    if logits.shape[-2:] != size:
        logits = F.interpolate(
            logits.float(), size=size, mode='bilinear', align_corners=False
        )
    covered = F.interpolate(valid[:, None].float(), size=size, mode='area')
    return logits.argmax(1).masked_fill(covered[:, 0] < 1, ignore_index)


def resize_logits(segmentor: Any, logits: Tensor, size: torch.Size) -> Tensor:
    """Logits in float32 at the size of the image, as the head resizes."""
    return resize(
        logits.float(),
        size=tuple(size),
        mode='bilinear',
        align_corners=final_head(segmentor).align_corners,
    )


def channels_last(inputs: dict[str, Any]) -> dict[str, Any]:
    """Images of a batch in channels-last memory format.

    Args:
        inputs (dict): With ``labelled`` and ``weak`` (N, 3, H, W) and
            ``strong`` (S, N, 3, H, W).
    """
    views = [v.to(memory_format=torch.channels_last) for v in inputs['strong']]
    images = {
        key: inputs[key].to(memory_format=torch.channels_last)
        for key in ('labelled', 'weak')
    }
    return dict(images, strong=views)


@contextmanager
def kept_statistics(network: nn.Module, kept: bool = True) -> Iterator[None]:
    """Normalise by batch statistics without moving the running ones."""
    # Not found by class: mmcv has a layer that does not inherit PyTorch's.
    # Frozen layers have no momentum and no statistics that move.
    norms: list[Any] = [
        module
        for module in network.modules()
        if kept
        and isinstance(getattr(module, 'running_mean', None), Tensor)
        and hasattr(module, 'momentum')
    ]
    momenta = [norm.momentum for norm in norms]
    # With momentum None, the mean over all batches depends on their number.
    counts = [
        norm.num_batches_tracked.clone()
        if norm.momentum is None and norm.num_batches_tracked is not None
        else None
        for norm in norms
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts):
            norm.momentum = momentum
            if count is not None:
                norm.num_batches_tracked.copy_(count)


@contextmanager
def changed_features(
    segmentor: Any, change: Optional[Callable[[Any], Any]]
) -> Iterator[None]:
    """Change the features between the encoder and the head of a segmentor.

    Args:
        segmentor (EncoderDecoder): A stock segmentor.
        change (Callable, optional): Maps the output of the neck, or of the
            backbone without one, to other features; None changes nothing.
    """
    if change is None:
        yield
        return
    encoder = segmentor.neck if segmentor.with_neck else segmentor.backbone
    handle = encoder.register_forward_hook(
        lambda module, args, output: change(output)
    )
    try:
        yield
    finally:
        handle.remove()


def are_of_one_size(
    model: nn.Module, labelled: Tensor, unlabelled: Tensor
) -> bool:
    """Whether labelled and unlabelled images have one size.

    With synchronised batch normalisation, all ranks must make the same
    forward passes: True only if the sizes agree on every rank. Ranks do not
    communicate if ``data_preprocessor.size`` fixes the size.

    Args:
        model (nn.Module): A ``MutualSemiSegmentor``.
        labelled (Tensor): (N, 3, H, W).
        unlabelled (Tensor): (..., 3, H', W').
    """
    same = labelled.shape[-2:] == unlabelled.shape[-2:]
    preprocessor = getattr(model, 'data_preprocessor', None)
    size = getattr(getattr(preprocessor, 'base', None), 'size', None)
    # Found by name: mmcv's layer does not inherit PyTorch's.
    if (
        get_world_size() == 1
        or size is not None
        or not any(
            'SyncBatchNorm' in type(module).__name__
            for module in model.modules()
        )
    ):
        return same
    agreed = torch.tensor(int(same), device=labelled.device)
    all_reduce(agreed, op='min')
    return bool(agreed)


def can_join(segmentor: Any) -> bool:
    """Whether labelled and unlabelled images can share one forward pass.

    They can if the losses are those of mmseg's base classes, which need
    nothing but the logits.
    """
    head = type(final_head(segmentor))
    kind, stock = type(segmentor), EncoderDecoder
    head_loss = stock._decode_head_forward_train
    return (
        kind.loss is stock.loss
        and kind._decode_head_forward_train is head_loss
        and getattr(head, 'loss', None) is BaseDecodeHead.loss
        and head.loss_by_feat is BaseDecodeHead.loss_by_feat
    )


def student_forward(
    segmentor: Any,
    labelled: Tensor,
    samples: list[SegDataSample],
    unlabelled: Tensor,
    join: bool = True,
    statistics: bool = True,
    change: Optional[Callable] = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Compute supervised losses (Eq. 1) and logits of unlabelled images.

    Args:
        segmentor (EncoderDecoder): A stock segmentor in train mode.
        labelled (Tensor): (N, 3, H, W).
        samples (list[SegDataSample]): Their ground truth.
        unlabelled (Tensor): (M, 3, H', W').
        join (bool): Whether to use one forward pass where sizes and losses
            allow it.
        statistics (bool): Whether unlabelled images update the running
            statistics of batch normalisation; False takes two passes.
        change (Callable, optional): Maps the features of the unlabelled
            images to others; its ``start`` is the number of labelled images
            before them in the batch.

    Returns:
        tuple: Losses named as by the stock segmentor, and unscaled logits
        (M, K, h, w).
    """
    same = labelled.shape[-2:] == unlabelled.shape[-2:]
    if not (join and same and statistics and can_join(segmentor)):
        losses = segmentor.loss(labelled, samples)
        kept = kept_statistics(segmentor, not statistics)
        with kept, changed_features(segmentor, change):
            return losses, forward_logits(segmentor, unlabelled)
    count = len(labelled)
    later = partial(change, start=count) if change else None
    with changed_features(segmentor, later):
        features = segmentor.extract_feat(torch.cat([labelled, unlabelled]))
    logits = segmentor.decode_head.forward(features)
    losses = add_prefix(
        segmentor.decode_head.loss_by_feat(logits[:count], samples), 'decode'
    )
    if segmentor.with_auxiliary_head:
        losses.update(
            segmentor._auxiliary_head_forward_train(
                _leading(features, count), samples
            )
        )
    return losses, logits[count:]
