import math

import pytest
import torch

from rml_mmseg.models.utils.alignment import (
    alignment_bias,
    class_shares,
    label_shares,
)


def test_shares_by_hand():
    probs = torch.tensor([[0.5, 1.0], [0.5, 0.0]]).view(1, 2, 1, 2)
    weights = torch.tensor([[0.2, 0.7], [0.6, 0.3]]).view(1, 2, 1, 2)
    # Rectified, the pixels have probabilities 1/4 and 3/4, and 1 and 0.
    expected = torch.tensor([[1.5, 1.25], [0.5, 0.75]])
    torch.testing.assert_close(class_shares(probs, weights), expected)


def test_shares_are_read_where_the_weights_lie():
    probs = torch.rand(2, 3, 8, 12).softmax(1)
    shares = class_shares(probs, torch.rand(2, 3, 2, 3))
    assert shares.sum(0).tolist() == pytest.approx([12, 12])


def test_shares_in_mixed_precision_are_those_of_float32():
    probs = torch.rand(1, 3, 4, 4).softmax(1)
    weights = torch.rand(1, 3, 4, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = class_shares(probs, weights)
    torch.testing.assert_close(mixed, class_shares(probs, weights))


def test_shares_of_labels_leave_out_what_is_no_class():
    labels = torch.tensor([[[0, 2, 2], [255, -1, 3]]])
    assert label_shares(labels, 3).tolist() == [1, 0, 2]
    assert label_shares(labels.byte(), 3).tolist() == [1, 0, 2]


def test_shares_of_labels_keep_their_device():
    labels = torch.zeros(1, 2, 2, dtype=torch.long, device='meta')
    assert label_shares(labels, 3).device.type == 'meta'


def test_bias_by_hand():
    shares = torch.tensor([[0.2, 0.4], [0.8, 0.6], [0.0, 0.0]])
    bias = alignment_bias(shares, 2.0)
    expected = [2 * math.log(1 / 2), 2 * math.log(4 / 3), 0.0]
    assert bias.tolist() == pytest.approx(expected)
    for unit in (100.0, torch.tensor([3.0, 700.0])):
        bias = alignment_bias(unit * shares, 2.0)
        assert bias.tolist() == pytest.approx(expected)


def test_class_that_is_not_wanted_so_far_gets_no_bias():
    shares = torch.tensor([[0.0, 0.5], [1.0, 1.0]])
    assert alignment_bias(shares, 3.0).tolist() == [0, 0]


@pytest.mark.parametrize('column', [0, 1])
def test_nothing_noted_on_one_side_gives_no_bias(column):
    shares = torch.rand(3, 2)
    shares[:, column] = 0
    assert not alignment_bias(shares, 3.0).any()


def test_power_does_not_act_beyond_its_limit():
    gaps = torch.tensor([0.0, 0.5, 1.0, 3.0, 6.0])
    found = torch.full((5,), 0.1)
    bias = alignment_bias(torch.stack([found * gaps.exp(), found], 1), 4.0)
    # Less than the last, which is taken as it is, by the normalisation.
    assert float(bias[4] - bias[0]) < 6.0 + 4.0
    weak = alignment_bias(torch.stack([found * gaps.exp(), found], 1), 0.5)
    torch.testing.assert_close(weak.diff(), 0.5 * gaps.diff())


def test_limit_of_a_power_by_hand():
    # A quotient of 10; twice its logarithm is 4.6.
    bias = alignment_bias(torch.tensor([[1.0, 10.0], [10.0, 1.0]]), 2.0)
    assert bias.tolist() == pytest.approx([-4.0, 4.0])


def test_vanished_class_gets_a_bias_that_is_finite():
    bias = alignment_bias(torch.tensor([[0.5, 0.0], [0.5, 1.0]]), 4.0)
    assert 20 < bias[0] < 40
