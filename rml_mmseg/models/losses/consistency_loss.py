"""Squared error between probabilities."""

from typing import Optional

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn


def consistency_loss(
    probs: Tensor, targets: Tensor, valid: Optional[Tensor] = None
) -> Tensor:
    """Squared distance between two distributions, mean over valid pixels.

    Args:
        probs (Tensor): Predicted probabilities (N, K, H, W).
        targets (Tensor): Target probabilities (N, K, H, W).
        valid (Tensor, optional): (N, H, W), bool. Defaults to None: all.

    Returns:
        Tensor: Scalar; 0 with zero gradient if no pixel is valid.
    """
    distances = (probs - targets).square().sum(1)
    if valid is None:
        return distances.mean()
    # Mask out invalid pixels, which may even hold NaN.
    kept = distances.masked_fill(~valid, 0)
    return kept.sum() / valid.sum().clamp(min=1)


@MODELS.register_module()
class ConsistencyLoss(nn.Module):
    """Losses of one prediction against several sets of soft pseudo labels.

    The consistency of CutMix-Seg (French et al., 2020): the squared error
    of the probabilities, summed over classes. As ``semi_train_cfg.loss`` it
    makes the labels the teachers' probabilities.
    """

    takes_probabilities = True

    def forward(
        self,
        logits: Tensor,
        labels: list[Tensor],
        valid: Optional[Tensor] = None,
    ) -> list[Tensor]:
        """Squared error with each set of labels.

        Args:
            logits (Tensor): (N, K, H, W).
            labels (list[Tensor]): Sets of probabilities (N, K, H, W).
            valid (Tensor, optional): (N, H, W), bool.

        Returns:
            list[Tensor]: One scalar for each set.
        """
        probs = torch.softmax(logits.float(), dim=1)
        return [consistency_loss(probs, soft, valid) for soft in labels]
