"""Masks through which unlabelled images are mixed, on the device."""

from typing import Any, Optional

import torch
from torch import Tensor

from .cutmix import boxes_to_masks


def class_masks(labels: Tensor, order: Tensor) -> Tensor:
    """ClassMix masks: half of the classes that an image holds.

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
    inputs: dict[str, Any], labels: Tensor, partner: Tensor
) -> Optional[Tensor]:
    """Masks that the pipeline asked for, True where the partner is pasted.

    Args:
        inputs (dict): Batch with ``mix_boxes`` (N, 4), ``mix_masks``
            (N, H, W) or ``mix_classes`` (N, 256), or none of them.
        labels (Tensor): Pseudo labels (N, H, W), for class masks.
        partner (Tensor): (N,).

    Returns:
        Tensor or None: (N, H, W) bool, None where nothing is mixed.
    """
    if 'mix_boxes' in inputs:
        return boxes_to_masks(inputs['mix_boxes'], *labels.shape[-2:])
    if 'mix_masks' in inputs:
        return inputs['mix_masks']
    if 'mix_classes' in inputs:
        return class_masks(labels[partner], inputs['mix_classes'])
    return None
