import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.models.utils import prototype_weights

pytestmark = pytest.mark.usefixtures('each_way')
_LAW = settings(deadline=None, max_examples=40)


def _random(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def _loop_weights(features, prototypes, temperature=1.0, initialised=None):
    """Eq. 9 in float64, pixel by pixel, class by class."""
    n, _, h, w = features.shape
    k = len(prototypes)
    known = range(k) if initialised is None else np.flatnonzero(initialised)
    out = np.zeros((n, k, h, w))
    for i, y, x in np.ndindex(n, h, w):
        feature = features[i, :, y, x].double().numpy()
        distances = {
            c: math.dist(feature, prototypes[c].double().numpy())
            for c in known
        }
        nearest = min(distances.values())
        raw = {
            c: math.exp(-temperature * (d - nearest))
            for c, d in distances.items()
        }
        mean = sum(raw.values()) / len(raw)
        raw = [raw.get(c, mean) for c in range(k)]
        out[i, :, y, x] = np.array(raw) / sum(raw)
    return torch.from_numpy(out).float()


def test_by_hand():
    # The distances are 0 and 5 (a 3-4-5 triangle, not squared).
    features = torch.zeros(1, 2, 1, 1)
    prototypes = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    weights = prototype_weights(features, prototypes)
    far = math.exp(-5) / (1 + math.exp(-5))
    assert weights.flatten().tolist() == pytest.approx([1 - far, far])


def test_temperature_multiplies_the_distance():
    features = torch.zeros(1, 1, 1, 1)
    prototypes = torch.tensor([[0.0], [math.log(2.0)]])
    weights = prototype_weights(features, prototypes, temperature=3.0)
    # exp(-3 ln 2) = 1/8
    assert weights.flatten().tolist() == pytest.approx([8 / 9, 1 / 9])


def test_uninitialised_class_by_hand():
    features = torch.zeros(1, 1, 1, 1)
    prototypes = torch.tensor([[0.0], [0.0], [math.log(2.0)]])
    weights = prototype_weights(
        features,
        prototypes,
        initialised=torch.tensor([True, False, True]),
    )
    # Before normalisation 1, (1 + 1/2) / 2 and 1/2; they sum to 9/4.
    assert weights.flatten().tolist() == pytest.approx([4 / 9, 3 / 9, 2 / 9])


@given(
    seed=st.integers(0, 999),
    temperature=st.floats(0.0, 10.0),
    scale=st.floats(0.0, 20.0),
)
@_LAW
def test_against_loops(seed, temperature, scale):
    features = scale * _random(seed, 2, 3, 2, 3)
    prototypes = scale * _random(seed + 1, 4, 3)
    weights = prototype_weights(features, prototypes, temperature)
    assert weights.shape == (2, 4, 2, 3)
    wanted = _loop_weights(features, prototypes, temperature)
    torch.testing.assert_close(weights, wanted, atol=2e-4, rtol=0)


@given(
    seed=st.integers(0, 999),
    initialised=st.lists(st.booleans(), min_size=4, max_size=4).filter(any),
)
@_LAW
def test_uninitialised_against_loops(seed, initialised):
    features, prototypes = _random(seed, 2, 3, 2, 3), _random(-seed, 4, 3)
    weights = prototype_weights(
        features, prototypes, initialised=torch.tensor(initialised)
    )
    wanted = _loop_weights(features, prototypes, 1.0, initialised)
    torch.testing.assert_close(weights, wanted, atol=1e-5, rtol=0)
    # A mean weight before normalisation becomes 1 / K by it.
    unknown = ~torch.tensor(initialised)
    torch.testing.assert_close(
        weights[:, unknown], torch.full_like(weights[:, unknown], 0.25)
    )


@given(scale=st.floats(0.0, 1e6), seed=st.integers(0, 999))
@_LAW
def test_uninitialised_prototypes_are_never_read(scale, seed):
    features, prototypes = _random(0, 1, 3, 2, 2), _random(1, 4, 3)
    initialised = torch.tensor([True, False, True, False])
    other = prototypes.clone()
    other[~initialised] = scale * _random(seed, 2, 3)
    torch.testing.assert_close(
        prototype_weights(features, prototypes, 1.0, initialised),
        prototype_weights(features, other, 1.0, initialised),
    )


def test_far_initialised_classes_leave_the_mean_finite():
    # exp(-1e6) is 0 in float32; a mean of zeros over zeros is not a
    # weight.
    features = torch.full((1, 1, 1, 1), 1e6)
    prototypes = torch.tensor([[0.0], [-1.0], [1e6]])
    weights = prototype_weights(
        features,
        prototypes,
        initialised=torch.tensor([True, True, False]),
    ).flatten()
    near = 2 / 3 / (1 + math.exp(-1))
    assert weights.tolist() == pytest.approx(
        [near, 2 / 3 - near, 1 / 3], abs=1e-2
    )


def test_nothing_initialised_favours_no_class():
    weights = prototype_weights(
        _random(0, 1, 2, 2, 2),
        torch.zeros(4, 2),
        initialised=torch.zeros(4, dtype=torch.bool),
    )
    torch.testing.assert_close(weights, torch.full((1, 4, 2, 2), 0.25))


def test_all_initialised_equals_no_mask():
    features, prototypes = _random(0, 2, 3, 4, 4), _random(1, 5, 3)
    torch.testing.assert_close(
        prototype_weights(features, prototypes),
        prototype_weights(
            features,
            prototypes,
            initialised=torch.ones(5, dtype=torch.bool),
        ),
    )


@given(
    seed=st.integers(0, 999),
    scale=st.floats(0.0, 1e6),
    offset=st.floats(0.0, 1e6),
    temperature=st.floats(0.0, 10.0),
    known=st.lists(st.booleans(), min_size=5, max_size=5),
)
@_LAW
def test_weights_are_a_distribution_at_any_distance(
    seed, scale, offset, temperature, known
):
    features = scale * _random(seed, 1, 4, 3, 3) + offset
    prototypes = scale * _random(seed + 1, 5, 4)
    for initialised in (None, torch.tensor(known)):
        weights = prototype_weights(
            features, prototypes, temperature, initialised
        )
        assert torch.isfinite(weights).all()
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(1), torch.ones(1, 3, 3))


def test_nearest_prototype_wins_at_a_million():
    features = torch.full((1, 1, 1, 1), 1e6)
    prototypes = torch.tensor([[0.0], [10.0], [-10.0]])
    weights = prototype_weights(features, prototypes).flatten()
    assert weights.argmax() == 1
    assert weights[1] > 0.999


@given(seed=st.integers(0, 999), shift=st.integers(-4000, 4000))
@_LAW
def test_common_shift_changes_nothing(seed, shift):
    # Eighths and whole shifts are exact in float32, so the distances
    # stay the same; 36 pixels by 30 classes, since implementations
    # switch to the expanded square only for larger problems.
    features = (8 * _random(seed, 1, 4, 6, 6)).round() / 8
    prototypes = (8 * _random(seed + 1, 30, 4)).round() / 8
    torch.testing.assert_close(
        prototype_weights(features + shift, prototypes + shift),
        prototype_weights(features, prototypes),
        # Where a feature equals its prototype, the distance is the root of a
        # rounding error.
        atol=2e-4,
        rtol=0,
    )


@given(seed=st.integers(0, 999))
@_LAW
def test_order_of_classes_only_reorders_the_weights(seed):
    features, prototypes = _random(seed, 1, 3, 2, 2), _random(-seed, 5, 3)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        prototype_weights(features, prototypes[order]),
        prototype_weights(features, prototypes)[:, order],
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_low_precision_inputs_are_compared_in_float32(dtype):
    # The squared distance, about 360000, overflows float16.
    features = (300 + _random(0, 1, 4, 6, 6)).to(dtype)
    prototypes = torch.cat([torch.zeros(3, 4), features[0, :, 0, :3].T])
    weights = prototype_weights(features, prototypes.to(dtype))
    wanted = prototype_weights(features.float(), prototypes.float())
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(weights.float(), wanted, atol=4e-3, rtol=0)


def test_autocast_does_not_lower_the_precision():
    features, prototypes = _random(0, 2, 16, 8, 8), _random(1, 40, 16)
    wanted = prototype_weights(features, prototypes)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        weights = prototype_weights(features, prototypes)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, wanted)


def test_memory_layout_does_not_matter():
    features, prototypes = (
        _random(0, 2, 3, 8, 8)[..., ::2, 1:5],
        _random(1, 5, 3),
    )
    wanted = prototype_weights(features.contiguous(), prototypes)
    last = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(prototype_weights(features, prototypes), wanted)
    torch.testing.assert_close(prototype_weights(last, prototypes), wanted)


def test_arguments_are_left_alone():
    arguments = (
        _random(0, 1, 3, 4, 4),
        _random(1, 5, 3),
        1.0,
        torch.tensor([True, False, True, True, False]),
    )
    before = [torch.as_tensor(a).clone() for a in arguments]
    prototype_weights(*arguments)
    for argument, copy in zip(arguments, before):
        assert torch.equal(torch.as_tensor(argument), copy)


def test_feature_on_its_prototype_has_distance_zero():
    # Far from the origin the expanded square |f|^2 - 2 f.p + |p|^2 loses
    # the distance to cancellation.
    prototypes = 100 + _random(0, 30, 64)
    features = prototypes.T.reshape(1, 64, 5, 6)
    weights = prototype_weights(features, prototypes)
    wanted = _loop_weights(features, prototypes)
    torch.testing.assert_close(weights, wanted, atol=1e-4, rtol=0)


def test_nothing_is_learnt_through_them():
    features = torch.ones(1, 2, 1, 1, requires_grad=True)
    assert not prototype_weights(features, torch.eye(2)).requires_grad
