import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rml_mmseg
from rml_mmseg.models.losses import PseudoLabelLoss
from rml_mmseg.models.losses.pseudo_label_loss import pseudo_label_loss

_LAW = settings(deadline=None, max_examples=40)


def _log_probs(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).log_softmax(1)


def _loop_loss(log_probs, labels, valid, ignore_index=255) -> float:
    total, count = 0.0, 0
    for n, y, x in np.ndindex(*labels.shape):
        if valid is not None and not valid[n, y, x]:
            continue
        count += 1
        label = int(labels[n, y, x])
        if label != ignore_index:
            total -= float(log_probs[n, label, y, x])
    return total / count if count else 0.0


@pytest.fixture
def row() -> torch.Tensor:
    """Two classes along one row of four pixels: (N, K, H, W)."""
    first = torch.tensor([1 / 2, 1 / 4, 1 / 8, 3 / 4])
    return torch.stack([first, 1 - first]).log().view(1, 2, 1, 4)


def test_every_pixel_labelled_and_valid(row):
    labels = torch.tensor([[[0, 0, 0, 1]]])
    loss = pseudo_label_loss(row, labels, None)
    # ln 2 + ln 4 + ln 8 + ln 4, over four pixels
    assert loss.item() == pytest.approx(8 * math.log(2) / 4)
    assert loss.shape == ()


def test_valid_may_be_left_out_or_all_true(row):
    labels = torch.tensor([[[0, 0, 0, 1]]])
    wanted = pseudo_label_loss(row, labels, None)
    everywhere = torch.ones(1, 1, 4, dtype=torch.bool)
    assert torch.equal(pseudo_label_loss(row, labels, everywhere), wanted)


def test_ignored_labels_cost_nothing_but_count(row):
    labels = torch.tensor([[[0, 255, 0, 255]]])
    loss = pseudo_label_loss(row, labels, None)
    # (ln 2 + ln 8) / 4; a mean over the pixels kept would divide by 2
    assert loss.item() == pytest.approx(math.log(2))


def test_invalid_pixels_neither_cost_nor_count(row):
    labels = torch.tensor([[[0, 0, 0, 1]]])
    valid = torch.tensor([[[True, False, True, False]]])
    loss = pseudo_label_loss(row, labels, valid)
    assert loss.item() == pytest.approx(4 * math.log(2) / 2)


def test_ignored_and_invalid_together(row):
    labels = torch.tensor([[[0, 255, 0, 255]]])
    valid = torch.tensor([[[True, True, False, False]]])
    loss = pseudo_label_loss(row, labels, valid)
    assert loss.item() == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize('ignore_index', [1, -1])
def test_another_ignore_index(row, ignore_index):
    labels = torch.tensor([[[0, ignore_index, 0, ignore_index]]])
    loss = pseudo_label_loss(row, labels, None, ignore_index=ignore_index)
    assert loss.item() == pytest.approx(math.log(2))


@given(
    seed=st.integers(0, 999),
    ignored=st.floats(0.0, 1.0),
    padded=st.floats(0.0, 1.0),
)
@_LAW
def test_against_loops(seed, ignored, padded):
    generator = torch.Generator().manual_seed(seed)
    log_probs = _log_probs(seed, 2, 3, 4, 5)
    labels = torch.randint(3, (2, 4, 5), generator=generator)
    labels[torch.rand(2, 4, 5, generator=generator) < ignored] = 255
    valid = torch.rand(2, 4, 5, generator=generator) >= padded
    for mask in (valid, None):
        loss = pseudo_label_loss(log_probs, labels, mask)
        wanted = _loop_loss(log_probs, labels, mask)
        assert loss.item() == pytest.approx(wanted, abs=1e-5)


@given(seed=st.integers(0, 999), width=st.integers(1, 4))
@_LAW
def test_padding_leaves_the_loss_as_it_was(seed, width):
    log_probs = _log_probs(seed, 1, 3, 4, 4)
    labels = log_probs.argmax(1)
    wanted = pseudo_label_loss(log_probs, labels, None)
    padded = pseudo_label_loss(
        torch.cat([log_probs, _log_probs(seed + 1, 1, 3, 4, width)], dim=3),
        nn.functional.pad(labels, (0, width), value=255),
        nn.functional.pad(torch.ones_like(labels).bool(), (0, width)),
    )
    torch.testing.assert_close(padded, wanted)


def test_gradient_by_hand(row):
    row.requires_grad_()
    labels = torch.tensor([[[0, 1, 255, 0]]])
    valid = torch.tensor([[[True, True, True, False]]])
    pseudo_label_loss(row, labels, valid).backward()
    third = 1 / 3
    wanted = torch.tensor([[[[-third, 0, 0, 0]], [[0, -third, 0, 0]]]])
    torch.testing.assert_close(row.grad, wanted)


@pytest.mark.parametrize('poison', [-math.inf, math.nan])
def test_invalid_and_ignored_pixels_cannot_poison_the_loss(row, poison):
    poisoned = row.clone()
    poisoned[..., 2:] = poison
    poisoned.requires_grad_()
    labels = torch.tensor([[[0, 0, 0, 255]]])
    valid = torch.tensor([[[True, True, False, True]]])
    loss = pseudo_label_loss(poisoned, labels, valid)
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert torch.isfinite(poisoned.grad).all()
    assert (poisoned.grad[..., 2:] == 0).all()


@pytest.mark.parametrize('filling', [None, -math.inf, math.nan])
def test_nothing_valid_is_zero_with_a_graph(row, filling):
    log_probs = row if filling is None else torch.full_like(row, filling)
    log_probs.requires_grad_()
    labels = torch.zeros(1, 1, 4, dtype=torch.long)
    nowhere = torch.zeros(1, 1, 4, dtype=torch.bool)
    loss = pseudo_label_loss(log_probs, labels, nowhere)
    assert loss.item() == 0
    assert loss.shape == ()
    loss.backward()
    assert torch.equal(log_probs.grad, torch.zeros_like(row))


def test_everything_ignored_is_zero_with_a_graph(row):
    row.requires_grad_()
    loss = pseudo_label_loss(row, torch.full((1, 1, 4), 255), None)
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(row.grad, torch.zeros_like(row))


def test_arguments_are_left_alone(row):
    labels = torch.tensor([[[0, 255, 0, 1]]])
    valid = torch.tensor([[[True, True, False, True]]])
    before = row.clone(), labels.clone(), valid.clone()
    pseudo_label_loss(row, labels, valid)
    for argument, copy in zip((row, labels, valid), before):
        assert torch.equal(argument, copy)


def test_module_is_built_from_the_registry_and_equals_the_function():
    # The package has to be imported before mmseg.
    assert rml_mmseg is not None
    from mmseg.registry import MODELS

    module = MODELS.build(dict(type='PseudoLabelLoss'))
    assert isinstance(module, PseudoLabelLoss)
    assert isinstance(module, nn.Module)
    log_probs = _log_probs(0, 2, 3, 4, 5)
    labels = torch.randint(3, (2, 4, 5))
    labels[:, 0] = 255
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[..., 3:] = False
    peers = torch.randint(3, (2, 4, 5))
    # Normalised log-probabilities pass a log-softmax unchanged.
    losses = module(log_probs, [labels, peers], valid)
    assert len(losses) == 2
    for loss, ids in zip(losses, (labels, peers)):
        torch.testing.assert_close(
            loss, pseudo_label_loss(log_probs, ids, valid)
        )


def test_module_takes_logits_of_any_precision():
    loss = PseudoLabelLoss()
    logits = torch.tensor([0.0, 20000.0]).half().view(1, 2, 1, 1)
    (value,) = loss(logits, [torch.zeros(1, 1, 1, dtype=torch.long)])
    # log(1 + exp(20000)) in float32
    assert value.item() == 20000
    assert value.dtype == torch.float32


def test_module_ignores_what_all_ignore():
    """All parts use 255, so there is no setting."""
    logits = torch.zeros(1, 2, 1, 2)
    (value,) = PseudoLabelLoss()(logits, [torch.tensor([[[0, 255]]])])
    assert value.item() == pytest.approx(math.log(2) / 2)
    with pytest.raises(TypeError, match='ignore_index'):
        PseudoLabelLoss(ignore_index=254)


def test_computed_in_float32():
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, 3, 4, 5, generator=draw).bfloat16()
    labels = torch.randint(3, (2, 4, 5), generator=draw)
    (found,) = PseudoLabelLoss()(logits, [labels])
    (exact,) = PseudoLabelLoss()(logits.float(), [labels])
    assert found.dtype == torch.float32
    assert torch.equal(found, exact)


def test_pixels_with_weights(row):
    labels = torch.tensor([[[0, 0, 0, 255]]])
    weights = torch.tensor([[[2.0, 0.0, 0.5, 9.0]]])
    loss = pseudo_label_loss(row, labels, None, weights=weights)
    # Twice ln 2 and half of ln 8, over four pixels.
    assert loss.item() == pytest.approx(3.5 * math.log(2) / 4)
    valid = torch.tensor([[[True, True, False, False]]])
    loss = pseudo_label_loss(row, labels, valid, weights=weights)
    assert loss.item() == pytest.approx(2 * math.log(2) / 2)


def test_pixels_without_cost_may_have_any_weight(row):
    row.requires_grad_()
    labels = torch.tensor([[[0, 0, 0, 255]]])
    valid = torch.tensor([[[True, False, False, True]]])
    weights = torch.tensor([[[1.0, torch.nan, torch.inf, torch.nan]]])
    loss = pseudo_label_loss(row, labels, valid, weights=weights)
    assert loss.item() == pytest.approx(math.log(2) / 2)
    loss.backward()
    assert row.grad.isfinite().all()


def test_each_set_has_weights_of_its_own(row):
    labels = [torch.tensor([[[0, 0, 0, 1]]])] * 2
    ones = torch.ones(1, 1, 4)
    plain, double = PseudoLabelLoss()(row, labels, None, [None, 2 * ones])
    assert double.item() == pytest.approx(2 * plain.item())
