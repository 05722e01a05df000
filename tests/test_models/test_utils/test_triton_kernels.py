"""The kernels of a GPU, interpreted, against what it computes without them."""

import math

import pytest
import torch

from rml_mmseg.models.utils import batched_prototypes, class_sums, fused
from rml_mmseg.models.utils.rectified_labels import _labels_at_once
from tests.interpreted import interpreted_kernels

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture
def kernels():
    return interpreted_kernels()


def draw_case(n, k, size, below):
    draw = torch.Generator().manual_seed(0)
    probs = torch.randn(n, k, *size, generator=draw).softmax(1)
    return probs, torch.rand(n, k, *below, generator=draw)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize(
    ('n', 'k', 'size', 'below'),
    [
        (2, 3, (14, 18), (7, 9)),
        (1, 21, (13, 29), (5, 4)),
        (1, 4, (8, 8), (8, 8)),
        (2, 1, (5, 7), (1, 1)),
        (1, 5, (6, 6), (9, 11)),
        (1, 7, (40, 30), (3, 30)),
    ],
)
def test_labels(kernels, n, k, size, below, dtype):
    probs, weights = draw_case(n, k, size, below)
    probs = probs.to(dtype)
    expected = _labels_at_once(probs, weights)
    for same in (
        probs,
        probs.contiguous(memory_format=torch.channels_last),
        probs.mT.contiguous().mT,
        probs.repeat_interleave(2, 3)[..., ::2],
    ):
        found = kernels.rectified_labels(same, weights)
        assert found.dtype == torch.int64
        assert torch.equal(found, expected)


def test_the_first_of_equals_and_what_is_not_a_number(kernels):
    probs, weights = draw_case(1, 6, (6, 6), (3, 3))
    probs[0, :, 0], weights[:, :, 0] = 0.5, 0.25
    probs[0, :, 2, 0] = 0
    probs[0, 2, 3, 0] = probs[0, 4, 3, 0] = math.nan
    labels = kernels.rectified_labels(probs, weights)
    assert (labels[0, 0] == 0).all()
    assert labels[0, 2, 0] == 0
    assert labels[0, 3, 0] == 2
    assert torch.equal(labels, _labels_at_once(probs, weights))


def test_weights_of_any_type_and_layout(kernels):
    probs, weights = draw_case(2, 3, (6, 8), (3, 4))
    weights = weights.half().contiguous(memory_format=torch.channels_last)
    labels = kernels.rectified_labels(probs, weights)
    assert torch.equal(labels, _labels_at_once(probs, weights))


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('last', [False, True])
def test_sums_of_more_than_a_block(kernels, dtype, last):
    draw = torch.Generator().manual_seed(0)
    # More channels, classes and positions than a program has.
    features = torch.randn(2, 70, 33, 37, generator=draw).to(dtype)
    labels = torch.randint(-1, 72, (2, 33, 37), generator=draw)
    labels[:, 5] = 255
    features[:, :, 5] = math.nan
    expected = class_sums(features, labels, 70, 3)
    if last:
        features = features.contiguous(memory_format=torch.channels_last)
    found = kernels.class_sums(features, labels, 70, 3)
    for tensor, wanted in zip(found, expected):
        torch.testing.assert_close(tensor, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize('shift', [0.0, 1e3])
@pytest.mark.parametrize('dtype', DTYPES)
def test_distances_of_more_than_a_block(kernels, dtype, shift):
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(2, 70, 9, 8, generator=draw).add(shift).to(dtype)
    prototypes = torch.randn(66, 70, generator=draw) + shift
    centre = prototypes.mean(0, keepdim=True)
    found = kernels.squared_distances(features, prototypes, centre)
    exact = features.double().flatten(2)[:, None]
    exact = (exact - prototypes.double()[..., None]).square().sum(2)
    torch.testing.assert_close(found.double(), exact, rtol=2e-6, atol=1e-5)
    torch.testing.assert_close(
        found,
        batched_prototypes.squared_distances(features, prototypes, centre),
    )


def test_the_trial_uses_every_kernel(kernels):
    fused._try(kernels, torch.device('cpu'))
