"""Dynamic Mutual Training, Eq. 2, by hand."""

import math

import pytest
import torch
from mmseg.registry import MODELS

from rml_mmseg.models.losses import DynamicMutualLoss


def row(*first):
    """Probabilities of two classes on a row, those of the first given."""
    first = torch.tensor(first)
    return torch.stack([first, 1 - first])[None, :, None]


# Agreement; dispute with a surer peer, twice; with a less sure peer.
OWN = row(0.6, 0.4, 0.25, 0.1)
PEER = row(0.9, 0.8, 0.8, 0.7)


def test_weights_of_agreement_and_dispute():
    (loss,) = DynamicMutualLoss(agreed=1, disputed=2)(OWN.log(), [PEER])
    by_hand = [0.6 * math.log(0.6), 0.4**2 * math.log(0.4)]
    by_hand += [0.25**2 * math.log(0.25), 0]
    assert loss.item() == pytest.approx(-sum(by_hand) / 4)


def test_exponents_of_zero_are_plain_cross_entropy_but_for_lost_disputes():
    (loss,) = DynamicMutualLoss(agreed=0, disputed=0)(OWN.log(), [PEER])
    by_hand = -math.log(0.6) - math.log(0.4) - math.log(0.25)
    assert loss.item() == pytest.approx(by_hand / 4)


def test_weights_are_no_part_of_the_gradient():
    logits = OWN.log().requires_grad_()
    (loss,) = DynamicMutualLoss(agreed=1, disputed=1)(logits, [PEER])
    loss.backward()
    # Of cross entropy: the probability less the one of the label, weighed.
    pull = [w * (p - 1) / 4 for w, p in ((0.6, 0.6), (0.4, 0.4))]
    pull += [0.25 * (0.25 - 1) / 4, 0]
    assert logits.grad[0, 0, 0].tolist() == pytest.approx(pull)
    assert logits.grad[0, 1, 0].tolist() == pytest.approx([-x for x in pull])


@pytest.mark.parametrize('poison', [math.inf, math.nan])
def test_invalid_pixels_neither_cost_nor_count(poison):
    module = MODELS.build(dict(type='DynamicMutualLoss'))
    logits, peer = OWN.log().requires_grad_(), PEER.clone()
    valid = torch.tensor([[[True, True, False, True]]])
    (before,) = module(logits, [peer], valid)
    peer[..., 2] = poison
    (after,) = module(logits, [peer], valid)
    assert torch.equal(before, after)
    after.backward()
    assert logits.grad[..., :2].all() and not logits.grad[..., 2].any()


def test_computed_in_float32():
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, 3, 4, 5, generator=draw).bfloat16()
    labels = torch.randn(2, 3, 4, 5, generator=draw).softmax(1)
    (found,) = DynamicMutualLoss()(logits, [labels])
    (exact,) = DynamicMutualLoss()(logits.float(), [labels])
    assert found.dtype == torch.float32
    assert torch.equal(found, exact)


@pytest.mark.parametrize('value', [-1.0, '5', True, math.nan])
@pytest.mark.parametrize('name', ['agreed', 'disputed'])
def test_wrong_exponents_are_refused(name, value):
    with pytest.raises(ValueError, match=f'DynamicMutualLoss.{name}'):
        DynamicMutualLoss(**{name: value})
