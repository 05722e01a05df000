import math

import pytest
import torch
from mmseg.registry import MODELS

from rml_mmseg.models.losses import ConsistencyLoss, consistency_loss


@pytest.fixture
def pair():
    """Two distributions over two classes on a row of two pixels."""
    probs = torch.tensor([0.5, 0.9])
    targets = torch.tensor([0.75, 0.7])
    return [torch.stack([x, 1 - x]).view(1, 2, 1, 2) for x in (probs, targets)]


def test_squared_distance_by_hand(pair):
    # (0.25^2 + 0.25^2 + 0.2^2 + 0.2^2) / 2
    assert consistency_loss(*pair).item() == pytest.approx(0.1025)
    everywhere = torch.ones(1, 1, 2, dtype=torch.bool)
    assert consistency_loss(*pair, everywhere).item() == pytest.approx(0.1025)


@pytest.mark.parametrize('poison', [math.inf, math.nan])
def test_invalid_pixels_neither_cost_nor_count(pair, poison):
    probs, targets = pair
    probs[..., 1] = poison
    probs.requires_grad_()
    valid = torch.tensor([[[True, False]]])
    loss = consistency_loss(probs, targets, valid)
    assert loss.item() == pytest.approx(0.125)
    loss.backward()
    # The derivative of a square is twice the difference.
    assert probs.grad[0, :, 0, 0].tolist() == pytest.approx([-0.5, 0.5])


def test_nothing_valid_is_zero_with_a_graph(pair):
    probs, targets = pair
    probs.requires_grad_()
    loss = consistency_loss(
        probs, targets, torch.zeros(1, 1, 2, dtype=torch.bool)
    )
    assert loss.item() == 0
    loss.backward()
    assert not probs.grad.any()


def test_module_takes_logits_and_several_targets(pair):
    module = MODELS.build(dict(type='ConsistencyLoss'))
    assert isinstance(module, ConsistencyLoss)
    assert module.takes_probabilities
    probs, targets = pair
    losses = module(probs.log().half(), [targets, probs])
    assert losses[0].item() == pytest.approx(0.1025, abs=1e-3)
    assert losses[1].item() == pytest.approx(0, abs=1e-5)
    assert losses[0].dtype == torch.float32


def test_computed_in_float32():
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, 3, 4, 5, generator=draw).bfloat16()
    labels = torch.randn(2, 3, 4, 5, generator=draw).softmax(1)
    (found,) = ConsistencyLoss()(logits, [labels])
    (exact,) = ConsistencyLoss()(logits.float(), [labels])
    assert found.dtype == torch.float32
    assert torch.equal(found, exact)
