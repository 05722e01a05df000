"""Cross entropy on hard pseudo labels."""

from collections.abc import Sequence
from typing import Optional

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn


def pseudo_label_loss(
    log_probs: Tensor,
    labels: Tensor,
    valid: Optional[Tensor] = None,
    ignore_index: int = 255,
    weights: Optional[Tensor] = None,
) -> Tensor:
    """Mean cross entropy over valid pixels, one term of Eq. 5.

    A pixel labelled ``ignore_index``, for example for low confidence, has
    zero loss but counts in the mean, as in FixMatch, so that few trusted
    pixels do not weigh as much as many. An invalid pixel (padding) does not
    count at all.

    Args:
        log_probs (Tensor): Log-probabilities (N, K, H, W).
        labels (Tensor): Class ids (N, H, W).
        valid (Tensor, optional): (N, H, W), bool. Defaults to None: all.
        ignore_index (int): Label with zero loss. Defaults to 255.
        weights (Tensor, optional): (N, H, W), factors of the pixel losses;
            the mean divides by the pixel count regardless. Defaults to None.

    Returns:
        Tensor: Scalar; 0 with zero gradient if no pixel is valid.
    """
    if valid is None:
        total = torch.tensor(float(labels.numel()), device=labels.device)
    else:
        labels = torch.where(valid, labels, ignore_index)
        total = valid.sum()
    # Summing inside `nll_loss` is not deterministic on a GPU.
    costs = F.nll_loss(
        log_probs, labels, ignore_index=ignore_index, reduction='none'
    )
    if weights is not None:
        # The weight of a pixel with zero loss may be anything, even NaN.
        costs = costs * weights.masked_fill(labels == ignore_index, 0)
    return costs.sum() / total.clamp(min=1)


@MODELS.register_module()
class PseudoLabelLoss(nn.Module):
    """Losses of one prediction against several sets of pseudo labels.

    The log-softmax is computed once, in float32, for all of them. Pixels
    labelled 255 have zero loss.
    """

    def forward(
        self,
        logits: Tensor,
        labels: list[Tensor],
        valid: Optional[Tensor] = None,
        weights: Optional[Sequence[Optional[Tensor]]] = None,
    ) -> list[Tensor]:
        """Cross entropy with each set of labels.

        Args:
            logits (Tensor): (N, K, H, W).
            labels (list[Tensor]): Sets of class ids, each (N, H, W).
            valid (Tensor, optional): (N, H, W), bool.
            weights (list, optional): For each set, pixel weights
                (N, H, W) or None.

        Returns:
            list[Tensor]: One scalar for each set.
        """
        log_probs = F.log_softmax(logits.float(), dim=1)
        weights = weights or [None] * len(labels)
        return [
            pseudo_label_loss(log_probs, ids, valid, weights=own)
            for ids, own in zip(labels, weights)
        ]
