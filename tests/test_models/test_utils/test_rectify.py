import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.models.utils import rectify
from rml_mmseg.models.utils.rectified_labels import MANY_CLASSES

_LAW = settings(deadline=None, max_examples=40)


def _random(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def _loop_resize(weights, height, width):
    """Bilinear, half-pixel centres, edges repeated; float64."""
    n, k, h, w = weights.shape
    source = weights.double().numpy()
    out = np.zeros((n, k, height, width))

    def neighbours(position, length, target):
        centre = max((position + 0.5) * length / target - 0.5, 0.0)
        low = min(int(centre), length - 1)
        return low, min(low + 1, length - 1), centre - low

    for y, x in np.ndindex(height, width):
        y0, y1, v = neighbours(y, h, height)
        x0, x1, u = neighbours(x, w, width)
        top = (1 - u) * source[..., y0, x0] + u * source[..., y0, x1]
        bottom = (1 - u) * source[..., y1, x0] + u * source[..., y1, x1]
        out[..., y, x] = (1 - v) * top + v * bottom
    return torch.from_numpy(out)


def test_by_hand():
    # Two classes at two pixels; the products are (.6 * .2, .4 * .8) and
    # (.9 * .3, .1 * .7).
    probs = torch.tensor([[[[0.6, 0.9]], [[0.4, 0.1]]]])
    weights = torch.tensor([[[[0.2, 0.3]], [[0.8, 0.7]]]])
    labels = rectify(probs, weights)
    assert labels.tolist() == [[[1, 0]]]
    assert labels.dtype == torch.long


@pytest.mark.parametrize('shape', [(1, 2, 1, 1), (2, 3, 1, 1)])
def test_weights_of_other_images_or_classes(shape):
    with pytest.raises(ValueError, match=r'\(2, 2, 3, 3\) and \(\d, \d, 1'):
        rectify(torch.rand(2, 2, 3, 3), torch.rand(shape))


def test_of_what_requires_a_gradient():
    probs = _random(0, 2, 3, 4, 4).softmax(1)
    weights = _random(1, 2, 3, 2, 2).softmax(1)
    labels = rectify(probs.requires_grad_(), weights.requires_grad_())
    assert not labels.requires_grad
    torch.testing.assert_close(
        labels, rectify(probs.detach(), weights.detach())
    )


@pytest.mark.parametrize(
    ('odds', 'expected'),
    # Resized to four columns, class 0 weighs 1, 3/4, 1/4, 0 and wins
    # where odds * w0 > w1, that is above odds of 1/3 in column 1 and of 3
    # in column 2. With align_corners=True the turning points would be
    # 1/2 and 2; with nearest neighbours no odds would matter.
    [
        (0.3, [0, 1, 1, 1]),
        (0.4, [0, 0, 1, 1]),
        (2.5, [0, 0, 1, 1]),
        (3.5, [0, 0, 0, 1]),
    ],
)
def test_weights_are_resized_bilinearly(odds, expected):
    weights = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    probs = torch.tensor([odds, 1.0]) / (odds + 1)
    probs = probs.view(1, 2, 1, 1).expand(1, 2, 1, 4)
    assert rectify(probs, weights).tolist() == [[expected]]


@given(
    seed=st.integers(0, 999),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    factor=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    extra=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
@_LAW
def test_against_loops(seed, size, factor, extra):
    height, width = (s * f + e for s, f, e in zip(size, factor, extra))
    probs = _random(seed, 2, 3, height, width).softmax(1)
    weights = _random(seed + 1, 2, 3, *size).softmax(1)
    labels = rectify(probs, weights)
    assert labels.shape == (2, height, width)
    products = probs.double() * _loop_resize(weights, height, width)
    first, second = products.topk(2, dim=1).values.unbind(1)
    # Rounding may decide a tie either way.
    clear = first - second > 1e-6
    assert torch.equal(labels[clear], products.argmax(1)[clear])


@given(seed=st.integers(0, 999))
@_LAW
def test_equal_weights_keep_the_network_s_labels(seed):
    probs = _random(seed, 2, 4, 6, 6).softmax(1)
    weights = torch.full((2, 4, 3, 3), 0.25)
    assert torch.equal(rectify(probs, weights), probs.argmax(1))


def test_certain_weights_overrule_the_network():
    probs = torch.tensor([0.98, 0.01, 0.01]).view(1, 3, 1, 1)
    weights = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    labels = rectify(probs.expand(1, 3, 4, 4), weights.expand(1, 3, 2, 2))
    assert (labels == 2).all()


def test_arguments_are_left_alone():
    probs = _random(0, 1, 3, 4, 4).softmax(1)
    weights = _random(1, 1, 3, 2, 2).softmax(1)
    before = probs.clone(), weights.clone()
    rectify(probs, weights)
    assert torch.equal(probs, before[0])
    assert torch.equal(weights, before[1])


def test_low_precision_products_are_taken_in_float32():
    # In float16 both products underflow to zero and class 0 would win.
    probs = torch.tensor([1e-4, 2e-4]).half().view(1, 2, 1, 1)
    weights = torch.tensor([1e-5, 1e-5]).half().view(1, 2, 1, 1)
    assert rectify(probs, weights).item() == 1


def test_classes_one_by_one_are_the_argmax_of_all_at_once():
    # On a CPU the product is never there as a whole.
    draw = torch.Generator().manual_seed(3)
    probs = torch.rand(2, 7, 12, 16, generator=draw)
    weights = torch.rand(2, 7, 3, 4, generator=draw)
    # Equal products: the first class wins, as in argmax.
    probs[:, 5], weights[:, 5] = probs[:, 2], weights[:, 2]
    resized = torch.nn.functional.interpolate(
        weights, size=(12, 16), mode='bilinear', align_corners=False
    )
    expected = (resized * probs).argmax(1)
    assert torch.equal(rectify(probs, weights), expected)
    assert (expected == 2).any() and not (expected == 5).any()
    same_size = rectify(probs, resized)
    assert torch.equal(same_size, expected)


@given(
    seed=st.integers(0, 999),
    sharpness=st.sampled_from([0.1, 3.0, 30.0]),
    certainty=st.sampled_from([0.1, 3.0, 30.0]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 30)),
)
@_LAW
def test_classes_that_are_left_out_win_nowhere(
    seed, sharpness, certainty, size
):
    # Wide enough for several strips, and for columns in several pieces.
    full = 40, 300
    classes = MANY_CLASSES + 20
    weights = (_random(seed, 1, classes, *size) * sharpness).softmax(1)
    probs = (_random(seed + 1, 1, classes, *full) * certainty).softmax(1)
    weights[:, 9], probs[:, 9] = weights[:, 4], probs[:, 4]
    resized = torch.nn.functional.interpolate(
        weights, size=full, mode='bilinear', align_corners=False
    )
    products = resized.double() * probs.double()
    labels = rectify(probs, weights)
    best = products.amax(1)
    chosen = products.gather(1, labels[:, None])[:, 0]
    # Where float32 ends, products are equal to it.
    assert (chosen >= best * (1 - 1e-5) - 1e-37).all()
    assert not (labels == 9).any()


def test_probabilities_may_be_on_any_scale():
    classes = MANY_CLASSES + 1
    weights = (_random(0, 1, classes, 4, 4) * 9).softmax(1)
    probs = _random(1, 1, classes, 16, 16).exp()
    labels = rectify(probs, weights)
    assert torch.equal(rectify(probs * 2**20, weights), labels)
    assert torch.equal(rectify(probs, weights * 2**-20), labels)


@pytest.mark.parametrize('classes', [3, MANY_CLASSES + 1])
def test_labels_are_classes_also_where_nothing_is_a_number(classes):
    probs = torch.full((1, classes, 6, 6), torch.nan)
    weights = torch.rand(1, classes, 3, 3)
    labels = rectify(probs, weights)
    assert labels.min() >= 0 and labels.max() < classes


def test_many_classes_without_probability():
    probs = torch.zeros(1, MANY_CLASSES + 1, 6, 6)
    assert (rectify(probs, torch.rand(1, MANY_CLASSES + 1, 3, 3)) == 0).all()


def test_first_of_equal_classes_wins_also_of_many():
    # More than are computed at once of a strip of this size.
    probs = torch.ones(1, MANY_CLASSES + 8, 64, 256)
    weights = torch.ones(1, MANY_CLASSES + 8, 2, 2)
    assert not rectify(probs, weights).any()


def test_unlikely_class_wins_where_the_likely_ones_are_weak():
    classes = MANY_CLASSES + 8
    probs = torch.zeros(1, classes, 8, 8)
    probs[:, : classes // 4] = 1.0
    probs[:, : classes // 4, 3, 4] = 0.22
    probs[:, 20, 3, 4] = 0.24
    labels = rectify(probs, torch.ones(1, classes, 2, 2))
    assert torch.equal(labels, probs.argmax(1))
    assert labels[0, 3, 4] == 20
