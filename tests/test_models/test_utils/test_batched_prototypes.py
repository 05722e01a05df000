"""What a GPU computes, against what a CPU does."""

import math

import pytest
import torch

from rml_mmseg.models.utils import batched_prototypes, class_sums

N, K, C, H, W = 3, 5, 7, 4, 6


@pytest.fixture
def features():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(N, C, H, W, generator=draw)


@pytest.fixture
def labels():
    draw = torch.Generator().manual_seed(1)
    # The last class is empty; what is none of them is above and below.
    labels = torch.randint(K - 1, (N, H, W), generator=draw)
    labels[:, 0, 0], labels[:, 0, 1], labels[:, 0, 2] = 255, K, -1
    return labels


# All items at a time, two of three, and parts of one.
@pytest.fixture(params=[10**6, 2 * C * H * W, 11 * C, C, 1])
def steps(request, monkeypatch):
    monkeypatch.setattr(batched_prototypes, 'LARGE_ELEMENTS', request.param)
    return batched_prototypes


def centre_of(prototypes):
    return prototypes.mean(0, keepdim=True)


def exact_squares(features, prototypes):
    """Squared distances (N, K, p) in float64."""
    gap = (
        features.double().flatten(2)[:, None] - prototypes.double()[..., None]
    )
    return gap.square().sum(2)


@pytest.mark.parametrize('ignore_index', [255, 1, -100])
@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.float16, torch.bfloat16]
)
def test_sums_are_those_of_the_cpu(
    steps, features, labels, dtype, ignore_index
):
    features = features.to(dtype)
    expected = class_sums(features, labels, K, ignore_index)
    found = steps.class_sums(features, labels, K, ignore_index)
    for tensor, wanted in zip(found, expected):
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, wanted)
    assert found[1][-1] == 0 and not found[0][-1].any()


@pytest.mark.parametrize('poison', [math.nan, math.inf])
def test_what_belongs_to_no_class_is_not_read(steps, features, labels, poison):
    expected = class_sums(features, labels, K)
    features[:, :, 0, :3] = poison
    for tensor, wanted in zip(
        steps.class_sums(features, labels, K, 255), expected
    ):
        torch.testing.assert_close(tensor, wanted)


@pytest.mark.parametrize('shift', [0.0, 1e3, 1e5])
def test_a_common_shift_costs_no_accuracy(steps, features, shift):
    prototypes = torch.randn(K, C, generator=torch.Generator().manual_seed(2))
    features, prototypes = features + shift, prototypes + shift
    found = steps.squared_distances(
        features, prototypes, centre_of(prototypes)
    )
    expected = exact_squares(features, prototypes)
    # The shifted numbers are exact; what their centre loses is common.
    rounding = 1e-5 + 1e-7 * shift
    torch.testing.assert_close(
        found.double(), expected, rtol=1e-5, atol=10 * rounding
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_distances_of_half_numbers_are_float32(steps, features, dtype):
    # Squares of 300 are beyond float16.
    features = (features + 300).to(dtype)
    prototypes = torch.zeros(K, C)
    prototypes[1:] = 300
    found = steps.squared_distances(
        features, prototypes, centre_of(prototypes)
    )
    expected = exact_squares(features, prototypes)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0.5)


def test_distances_of_double_numbers_are_float32(steps, features):
    prototypes = torch.randn(K, C, generator=torch.Generator().manual_seed(2))
    centre = centre_of(prototypes)
    found = steps.squared_distances(features.double(), prototypes, centre)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, steps.squared_distances(features, prototypes, centre)
    )


def test_a_feature_that_is_not_finite_spoils_its_own_position(steps, features):
    prototypes = torch.randn(K, C, generator=torch.Generator().manual_seed(2))
    features[1, 0, 2, 3] = math.nan
    found = steps.squared_distances(
        features, prototypes, centre_of(prototypes)
    ).view(N, K, H, W)
    assert found[1, :, 2, 3].isnan().all()
    assert found.isnan().sum() == K
