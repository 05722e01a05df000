"""What targets cost, and losses that do not fit them."""

import pytest
import torch
from torch import nn

from rml_mmseg.models.losses import ConsistencyLoss, PseudoLabelLoss
from rml_mmseg.models.utils.target_costs import target_costs

LABELS = torch.tensor([[[0, 1], [1, 0]]])
VALID = torch.ones(1, 2, 2, dtype=torch.bool)


@pytest.fixture
def logits():
    torch.manual_seed(0)
    return torch.randn(1, 2, 2, 2)


def test_weights_of_pixels_and_of_all(logits):
    maps = torch.full((1, 2, 2), 0.25)
    targets = [('self', LABELS, 0.25), ('peer1', LABELS, maps)]
    (one, cost), (other, of_pixels) = target_costs(
        PseudoLabelLoss(), logits, targets, VALID
    )
    assert (one, other) == ('self', 'peer1')
    torch.testing.assert_close(cost, of_pixels)
    (_, whole), _ = target_costs(
        PseudoLabelLoss(), logits, [('self', LABELS, 1.0)] * 2, VALID
    )
    torch.testing.assert_close(cost, whole / 4)


def test_one_number_weighs_all_pixels(logits):
    share = torch.tensor(0.5)
    ((_, half),) = target_costs(
        PseudoLabelLoss(), logits, [('self', LABELS, share)], VALID
    )
    ((_, whole),) = target_costs(
        PseudoLabelLoss(), logits, [('self', LABELS, 1.0)], VALID
    )
    torch.testing.assert_close(half, whole / 2)


def test_a_loss_that_weighs_no_pixels_is_refused(logits):
    probs = logits.softmax(1)
    targets = [('self', probs, torch.ones(1, 2, 2))]
    with pytest.raises(
        ValueError, match='ConsistencyLoss must accept weights='
    ):
        target_costs(ConsistencyLoss(), logits, targets, VALID)


def test_a_loss_of_one_number_for_all_is_refused(logits):
    class Sum(nn.Module):
        def forward(self, logits, labels, valid=None):
            return logits.sum()

    with pytest.raises(ValueError, match='Sum must return a list of 1'):
        target_costs(Sum(), logits, [('self', LABELS, 1.0)], VALID)
