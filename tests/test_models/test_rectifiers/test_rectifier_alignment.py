"""The alignment of a rectifier: rectified labels keep their shares."""

import pytest
import torch
import torch.nn.functional as F

from rml_mmseg.models import PrototypeRectifier


def _skewed(alignment, **kwargs):
    """A prototype in the middle of the features, and one far from all.

    Returns:
        tuple: Rectifier, probabilities of which each class has half, and
        features.
    """
    rectifier = PrototypeRectifier(
        num_classes=2, channels=1, alignment=alignment, **kwargs
    )
    rectifier.prototypes.copy_(torch.tensor([[4.0], [0.0]]))
    rectifier.counts.fill_(1)
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(8, 1, 6, 6, generator=draw)
    second = torch.linspace(0.0, 1.0, 36).view(1, 1, 6, 6).expand(8, 1, 6, 6)
    return rectifier, torch.cat([1 - second, second], 1), features


def _share_of_second(rectifier, probs, features):
    return float(rectifier(probs, features).float().mean())


def test_brings_shares_back_as_far_as_it_is_strong():
    shares = []
    for alignment in (0.0, 0.5, 1.0):
        rectifier, probs, features = _skewed(alignment, momentum=0.5)
        for _ in range(5):
            rectifier(probs, features)
            rectifier.update()
        shares.append(_share_of_second(rectifier.eval(), probs, features))
    wanted = float(probs[:, 1].mean())
    gaps = [abs(share - wanted) for share in shares]
    assert gaps[0] > 0.4
    assert gaps[0] > gaps[1] > gaps[2]


def test_may_take_the_shares_of_the_labels_instead():
    labels = torch.zeros(2, 10, 10, dtype=torch.long)
    labels[:, 0] = 1
    labels[:, 1] = 255
    found = []
    for alignment in (0.0, 1.0, 4.0):
        rectifier, probs, features = _skewed(
            alignment, momentum=0.5, alignment_target='labels'
        )
        assert rectifier.takes_labels == (alignment > 0)
        for _ in range(5):
            if rectifier.takes_labels:
                rectifier.accumulate_labels(labels)
            rectifier(probs, features)
            rectifier.update()
        found.append(_share_of_second(rectifier.eval(), probs, features))
    wanted = 20 / 180
    gaps = [abs(share - wanted) for share in found]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.1


@pytest.mark.parametrize('distance', [8.0, 16.0, 32.0])
def test_stale_prototype_does_not_hand_its_class_all_pixels(distance):
    draw = torch.Generator().manual_seed(0)
    truth = torch.randint(4, (2, 32, 32), generator=draw)
    logits = 4 * F.one_hot(truth, 4).permute(0, 3, 1, 2).float()
    logits += torch.randn(logits.shape, generator=draw)
    places = 3 * torch.eye(4, 16)
    features = places[truth].permute(0, 3, 1, 2)
    rectifier = PrototypeRectifier(4, 16, momentum=0.95, alignment=4.0)
    rectifier.counts.fill_(1)
    rectifier.prototypes.copy_(places)
    rectifier.prototypes[0, -1] = distance
    for _ in range(20):
        labels = rectifier(logits.softmax(1), features)
        rectifier.update()
    assert 0.1 < (labels == 0).float().mean() < 0.4


def test_shares_of_former_prototypes_are_forgotten():
    rectifier, probs, features = _skewed(2.0)
    rectifier(probs, features)
    rectifier.update()
    rectifier.accumulate(features, torch.zeros(8, 6, 6, dtype=torch.long))
    rectifier.initialise()
    assert not rectifier.shares.any()


def test_target_is_checked():
    with pytest.raises(
        ValueError, match=r"rectifier.alignment_target='label'"
    ):
        _skewed(1.0, alignment_target='label')


def test_class_without_labels_so_far_is_left_alone():
    rectifier, probs, features = _skewed(4.0, alignment_target='labels')
    before = rectifier.eval()(probs, features)
    rectifier.train()
    rectifier.accumulate_labels(torch.zeros(1, 4, 4, dtype=torch.long))
    rectifier(probs, features)
    rectifier.update()
    bias = rectifier._bias()
    assert bias[1] == 0
    assert bias[0].isfinite()
    assert before.shape == rectifier.eval()(probs, features).shape


def test_quotient_is_that_of_the_unaligned_labels():
    """Otherwise the quotient would shrink as the alignment acts."""
    rectifier, probs, features = _skewed(2.0, momentum=0.5)
    quotients = []
    for _ in range(3):
        rectifier(probs, features)
        rectifier.update()
        quotients.append(rectifier.shares[:, 0] / rectifier.shares[:, 1])
    torch.testing.assert_close(quotients[0], quotients[1])
    torch.testing.assert_close(quotients[0], quotients[2])


def test_off_or_in_evaluation_nothing_is_noted():
    rectifier, probs, features = _skewed(2.0)
    rectifier.eval()(probs, features)
    rectifier.update()
    assert not rectifier.shares.any()
    rectifier, probs, features = _skewed(0.0)
    rectifier(probs, features)
    rectifier.update()
    assert not rectifier.shares.any()


def test_discarded_batch_is_not_noted():
    rectifier, probs, features = _skewed(2.0)
    rectifier(probs, features)
    rectifier.discard()
    rectifier.update()
    assert not rectifier.shares.any()


def test_feature_that_is_not_finite_is_not_noted():
    rectifier, probs, features = _skewed(2.0)
    rectifier(probs, features.fill_(float('nan')))
    rectifier.update()
    assert rectifier.shares.isfinite().all()


def test_padding_is_not_noted():
    """Not even if the network's output for it is not finite."""
    whole, probs, features = _skewed(2.0)
    whole(probs, features)
    whole.update()
    padded = F.pad(probs, (0, 3, 0, 6), value=1.0)
    padded[..., -1, -1] = float('nan')
    valid = F.pad(torch.ones(8, 6, 6, dtype=torch.bool), (0, 3, 0, 6))
    other, _, _ = _skewed(2.0)
    other(padded, F.pad(features, (0, 3, 0, 6), value=9.0), valid)
    other.update()
    torch.testing.assert_close(other.shares, whole.shares)


def test_moves_prototypes_as_without():
    units = [_skewed(alignment)[0] for alignment in (0.0, 2.0)]
    for unit in units:
        _, probs, features = _skewed(0.0)
        unit.update(features, unit(probs, features))
    assert torch.equal(units[0].prototypes, units[1].prototypes)
    assert torch.equal(units[0].counts, units[1].counts)


def test_checkpoint_brings_shares_back_and_has_none_when_off():
    rectifier, probs, features = _skewed(2.0)
    rectifier(probs, features)
    rectifier.update()
    other, _, _ = _skewed(2.0)
    other.load_state_dict(rectifier.state_dict())
    assert torch.equal(
        other.eval()(probs, features), rectifier.eval()(probs, features)
    )
    assert rectifier.shares.any()
    assert 'shares' not in _skewed(0.0)[0].state_dict()


def test_shares_are_a_moving_average():
    rectifier, probs, features = _skewed(2.0, momentum=0.25)
    rectifier(probs, features)
    rectifier.update()
    first = rectifier.shares[:, 0].clone()
    rectifier(probs, features)
    rectifier.update()
    # The wanted shares do not depend on the bias.
    torch.testing.assert_close(rectifier.shares[:, 0], 1.25 * first)


def test_a_rectifier_forgets_its_shares():
    rectifier, probs, features = _skewed(2.0)
    rectifier(probs, features)
    rectifier.update()
    assert rectifier.shares.any()
    rectifier.forget()
    assert not rectifier.shares.any()
    assert not rectifier.initialised.any()


def test_what_is_accumulated_has_no_graph():
    rectifier = PrototypeRectifier(num_classes=2, channels=1)
    features = torch.randn(2, 1, 3, 3, requires_grad=True)
    rectifier.accumulate(features, torch.zeros(2, 3, 3, dtype=torch.long))
    assert not rectifier.pending.requires_grad
