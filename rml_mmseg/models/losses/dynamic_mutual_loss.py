"""Cross entropy that weights pixels by both networks' predictions."""

from typing import Optional

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from rml_mmseg.setting_checks import check_number

from .pseudo_label_loss import pseudo_label_loss


@torch.no_grad()
def dynamic_labels(
    probs: Tensor, targets: Tensor, agreed: float, disputed: float
) -> tuple[Tensor, Tensor]:
    """Classes predicted by a peer, and a weight per pixel (DMT, Eq. 2).

    Args:
        probs (Tensor): Probabilities of the learning network (N, K, H, W).
        targets (Tensor): Probabilities of its peer (N, K, H, W).
        agreed (float): Exponent where both predict the same class.
        disputed (float): Exponent where they disagree and the peer is at
            least as confident.

    Returns:
        tuple: Class ids (N, H, W), and weights (N, H, W) in [0, 1]: the
        learning network's probability of the peer's class to that power,
        and 0 where it is more confident of another class.
    """
    sure, ids = targets.max(1)
    own_sure, own_ids = probs.max(1)
    learnt = probs.gather(1, ids[:, None])[:, 0]
    weights = learnt.pow(disputed).masked_fill(own_sure > sure, 0)
    return ids, torch.where(own_ids == ids, learnt.pow(agreed), weights)


@MODELS.register_module()
class DynamicMutualLoss(nn.Module):
    """Losses of one prediction against soft labels, dynamically weighted.

    The loss of Dynamic Mutual Training (Feng et al., arXiv 2004.08514): the
    cross entropy with the classes that a peer predicts, with less weight
    where the learning network doubts them. As ``semi_train_cfg.loss`` it
    makes the labels the teachers' probabilities.

    Args:
        agreed (float): Exponent of the weight where both predict the same
            class, the paper's gamma 1, at least 0. Defaults to 5.0.
        disputed (float): Exponent where they disagree and the peer is at
            least as confident, its gamma 2, at least 0. Defaults to 5.0.

    Raises:
        ValueError: If an exponent is not a number or is below 0.
    """

    takes_probabilities = True

    def __init__(self, agreed: float = 5.0, disputed: float = 5.0) -> None:
        super().__init__()
        check_number('DynamicMutualLoss.agreed', agreed, '[0, inf)')
        check_number('DynamicMutualLoss.disputed', disputed, '[0, inf)')
        self.agreed, self.disputed = agreed, disputed

    def forward(
        self,
        logits: Tensor,
        labels: list[Tensor],
        valid: Optional[Tensor] = None,
    ) -> list[Tensor]:
        """Weighted cross entropy with each set of labels.

        Args:
            logits (Tensor): (N, K, H, W).
            labels (list[Tensor]): Sets of probabilities (N, K, H, W).
            valid (Tensor, optional): (N, H, W), bool.

        Returns:
            list[Tensor]: One scalar for each set.
        """
        log_probs = F.log_softmax(logits.float(), dim=1)
        probs = log_probs.detach().exp()
        costs = []
        for soft in labels:
            ids, weights = dynamic_labels(
                probs, soft, self.agreed, self.disputed
            )
            costs.append(
                pseudo_label_loss(log_probs, ids, valid, weights=weights)
            )
        return costs
