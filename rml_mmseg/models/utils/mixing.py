"""Mixing of unlabelled images through masks, on the device."""

from typing import Any, Optional, cast

import torch
from torch import Tensor

from .cutmix import apply_mask, boxes_to_masks
from .pseudo_labels import Target, is_map

MixedView = tuple[Tensor, list[Target], Tensor]
# What a pipeline can draw, and its dimensions with one mask per image.
DIMENSIONS = dict(mix_boxes=2, mix_masks=3, mix_classes=2)


def class_masks(labels: Tensor, order: Tensor) -> Tensor:
    """ClassMix masks of half of the classes in each image.

    Args:
        labels (Tensor): Pseudo labels (N, H, W).
        order (Tensor): Random numbers (N, 256), one for each class id; of
            the classes present, the half with the smallest numbers is
            chosen (rounded up, as in ClassMix by Olsson et al., 2021). An
            image whose numbers are infinite is not mixed.

    Returns:
        Tensor: (N, H, W) bool, True on pixels of the chosen classes.
    """
    flat = labels.flatten(1)
    present = torch.zeros_like(order, dtype=torch.bool)
    present.scatter_(1, flat, True)
    present[:, 255] = False
    present &= order.isfinite()
    rank = order.masked_fill(~present, torch.inf).argsort(1).argsort(1)
    chosen = rank < ((present.sum(1, keepdim=True) + 1) // 2)
    return (chosen & present).gather(1, flat).view_as(labels)


def mix_masks(
    inputs: dict[str, Any], labels: Tensor, partner: Tensor, number: int = 0
) -> Optional[Tensor]:
    """Masks drawn by the pipeline, True where the partner is pasted.

    Args:
        inputs (dict): Batch with ``mix_boxes`` (N, 4), ``mix_masks``
            (N, H, W) or ``mix_classes`` (N, 256), or none of them; with V
            masks per image, a dimension V follows N.
        labels (Tensor): Pseudo labels (N, H, W), for class masks. For the
            others, any tensor (..., H, W).
        partner (Tensor): (N,), index of the image pasted into each image.
        number (int): Index of the mask to use, modulo the masks per image.
            Defaults to 0.

    Returns:
        Tensor or None: (N, H, W) bool, None if nothing is mixed.
    """
    for key, dimensions in DIMENSIONS.items():
        if key not in inputs:
            continue
        drawn = inputs[key]
        if drawn.ndim > dimensions:
            drawn = drawn[:, number % drawn.shape[1]]
        if key == 'mix_boxes':
            return boxes_to_masks(drawn, *labels.shape[-2:])
        if key == 'mix_classes':
            return class_masks(labels[partner], drawn)
        return drawn
    return None


def mixed_view(
    inputs: dict[str, Any],
    targets: list[Target],
    view: int,
    number: int = 0,
) -> MixedView:
    """Mix a strong view, its targets and its valid pixels alike.

    Args:
        inputs (dict): Batch with ``strong`` (S, N, 3, H, W), ``valid``
            (N, H, W) and what was drawn for masks.
        targets (list[tuple]): Names, labels (N, H, W) or probabilities
            (N, K, H, W), and weights, one number or (N, H, W).
        view (int): Index of the strong view, modulo S.
        number (int): Index of the mask, as in :func:`mix_masks`. Defaults
            to 0.

    Returns:
        tuple: The view (N, 3, H, W), its targets and its valid pixels.
    """
    image, valid = (
        inputs['strong'][view % len(inputs['strong'])],
        inputs['valid'],
    )
    partner = torch.arange(len(valid), device=valid.device).roll(1)
    labels = targets[0][1]
    if 'mix_classes' in inputs:
        # No class may be pasted from padding.
        labels = hard_labels(labels).masked_fill(~valid, 255)
    masks = mix_masks(inputs, labels, partner, number)
    if masks is None:
        return image, targets, valid
    mixed = [
        (
            name,
            apply_mask(labels, masks, partner),
            apply_mask(cast(Tensor, weight), masks, partner)
            if is_map(weight)
            else weight,
        )
        for name, labels, weight in targets
    ]
    return (
        apply_mask(image, masks, partner),
        mixed,
        apply_mask(valid, masks, partner),
    )


def joined_views(views: list[MixedView]) -> MixedView:
    """Join views of :func:`mixed_view` into one batch, in their order."""
    if len(views) == 1:
        return views[0]
    images, targets, valid = zip(*views)
    joined: list[Target] = []
    for same in zip(*targets):
        names, labels, weights = zip(*same)
        maps = is_map(weights[0])
        weight = torch.cat(weights) if maps else weights[0]
        joined.append((names[0], torch.cat(labels), weight))
    return torch.cat(images), joined, torch.cat(valid)


def hard_labels(labels: Tensor) -> Tensor:
    """Class ids (N, H, W) of labels that may be probabilities."""
    return labels.argmax(1) if labels.is_floating_point() else labels
