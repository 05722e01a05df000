import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.models.utils import class_sums, update_prototypes

pytestmark = pytest.mark.usefixtures('each_way')
_LAW = settings(deadline=None, max_examples=40)


def _random(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def _random_labels(seed: int, num_classes: int, *shape: int) -> torch.Tensor:
    """Labels in which about one pixel in ``num_classes + 1`` is ignored."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes + 1, shape, generator=generator)
    return labels.masked_fill(labels == num_classes, 255)


class TestClassSums:
    def test_by_hand(self):
        # One image of two channels and 2 x 2 pixels.
        features = torch.tensor([[[[1.0, 2], [3, 4]], [[10, 20], [30, 40]]]])
        labels = torch.tensor([[[0, 2], [2, 255]]])
        sums, counts = class_sums(features, labels, 3)
        assert sums.tolist() == [[1, 10], [0, 0], [5, 50]]
        assert counts.tolist() == [1, 0, 2]

    @given(seed=st.integers(0, 999), num_classes=st.integers(1, 6))
    @_LAW
    def test_against_loops(self, seed, num_classes):
        features = _random(seed, 2, 3, 4, 5)
        labels = _random_labels(seed, num_classes, 2, 4, 5)
        wanted = torch.zeros(num_classes, 3)
        wanted_counts = [0] * num_classes
        for n, y, x in np.ndindex(2, 4, 5):
            label = int(labels[n, y, x])
            if label != 255:
                wanted[label] += features[n, :, y, x]
                wanted_counts[label] += 1
        sums, counts = class_sums(features, labels, num_classes)
        torch.testing.assert_close(sums, wanted)
        assert counts.tolist() == wanted_counts

    def test_shapes(self):
        labels = torch.zeros(2, 4, 5, dtype=torch.long)
        sums, counts = class_sums(_random(0, 2, 3, 4, 5), labels, 7)
        assert sums.shape == (7, 3)
        assert counts.shape == (7,)

    @pytest.mark.parametrize('ignore_index', [1, -100])
    def test_ignore_index_is_obeyed(self, ignore_index):
        features = torch.tensor([[[[1.0, 2.0, 4.0]]]])
        labels = torch.tensor([[[0, ignore_index, 2]]])
        sums, counts = class_sums(
            features, labels, 3, ignore_index=ignore_index
        )
        assert sums.tolist() == [[1], [0], [4]]
        assert counts.tolist() == [1, 0, 1]

    def test_all_ignored(self):
        labels = torch.full((1, 2, 2), 255)
        sums, counts = class_sums(_random(0, 1, 3, 2, 2), labels, 4)
        assert sums.tolist() == [[0.0] * 3] * 4
        assert counts.tolist() == [0] * 4

    @pytest.mark.parametrize('poison', [math.nan, math.inf])
    def test_ignored_pixels_cannot_poison_the_sums(self, poison):
        features = torch.tensor([[[[1.0, poison]]]])
        sums, counts = class_sums(features, torch.tensor([[[1, 255]]]), 2)
        assert sums.tolist() == [[0], [1]]
        assert counts.tolist() == [0, 1]

    @pytest.mark.parametrize('poison', [math.nan, math.inf])
    def test_features_that_are_not_finite_are_ignored(self, poison):
        features = torch.tensor([[[[1.0, poison, 3.0]], [[2.0, 5.0, 4.0]]]])
        sums, counts = class_sums(features, torch.tensor([[[1, 1, 0]]]), 2)
        assert sums.tolist() == [[3, 4], [1, 2]]
        assert counts.tolist() == [1, 1]

    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
    def test_low_precision_features_are_summed_in_float32(self, dtype):
        # Half formats cannot hold 4097; a running sum would stop far below.
        features = torch.ones(1, 1, 17, 241, dtype=dtype)
        labels = torch.zeros(1, 17, 241, dtype=torch.long)
        sums, counts = class_sums(features, labels, 1)
        assert sums.item() == 4097
        assert counts.item() == 4097

    def test_memory_layout_does_not_matter(self):
        features = _random(0, 2, 3, 8, 8)[..., ::2, 1:5]
        labels = _random_labels(0, 4, 2, 8, 8)[..., ::2, 1:5]
        wanted = class_sums(features.contiguous(), labels.contiguous(), 4)
        for name, got in zip(
            ('strided', 'channels last'),
            (
                class_sums(features, labels, 4),
                class_sums(
                    features.contiguous(memory_format=torch.channels_last),
                    labels.transpose(1, 2).contiguous().transpose(1, 2),
                    4,
                ),
            ),
        ):
            torch.testing.assert_close(got[0], wanted[0], msg=name)
            assert torch.equal(got[1], wanted[1]), name

    @given(seed=st.integers(0, 999))
    @_LAW
    def test_two_half_batches_add_up_to_the_whole(self, seed):
        features = _random(seed, 4, 3, 3, 3)
        labels = _random_labels(seed, 5, 4, 3, 3)
        sums, counts = class_sums(features, labels, 5)
        parts = [
            class_sums(f, y, 5)
            for f, y in zip(features.split(2), labels.split(2))
        ]
        torch.testing.assert_close(sums, parts[0][0] + parts[1][0])
        assert torch.equal(counts, parts[0][1] + parts[1][1])


class TestUpdatePrototypes:
    def test_by_hand(self):
        prototypes = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
        sums = torch.tensor([[6.0, 10.0], [0.0, 0.0], [7.0, -1.0]])
        counts = torch.tensor([2, 0, 1])
        result = update_prototypes(prototypes, sums, counts, 0.75)
        # The batch means are (3, 5), none and (7, -1).
        assert result.tolist() == [[1.5, 2.0], [2.0, 2.0], [4.0, 2.0]]

    @pytest.mark.parametrize('dtype', [torch.float32, torch.int64])
    def test_counts_of_either_type(self, dtype):
        result = update_prototypes(
            torch.zeros(1, 1),
            torch.tensor([[9.0]]),
            torch.tensor([3], dtype=dtype),
            0.5,
        )
        assert result.item() == 1.5
        assert result.dtype == torch.float32

    def test_arguments_are_left_alone(self):
        arguments = torch.ones(2, 2), torch.full((2, 2), 6.0), torch.ones(2)
        before = [a.clone() for a in arguments]
        update_prototypes(*arguments, 0.5)
        for argument, copy in zip(arguments, before):
            assert torch.equal(argument, copy)

    def test_momentum_zero_gives_the_mean_and_keeps_absent_classes(self):
        prototypes = torch.tensor([[5.0], [7.0]])
        sums, counts = torch.tensor([[8.0], [0.0]]), torch.tensor([4, 0])
        result = update_prototypes(prototypes, sums, counts, 0.0)
        assert result.tolist() == [[2.0], [7.0]]

    @given(seed=st.integers(0, 999))
    @_LAW
    def test_momentum_one_changes_nothing(self, seed):
        prototypes = _random(seed, 4, 3)
        result = update_prototypes(
            prototypes, _random(seed + 1, 4, 3), torch.arange(4), 1.0
        )
        assert torch.equal(result, prototypes)

    @given(
        seed=st.integers(0, 999),
        momentum=st.floats(0.0, 1.0),
        counts=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    )
    @_LAW
    def test_against_loops(self, seed, momentum, counts):
        prototypes, sums = _random(seed, 4, 3), _random(seed + 1, 4, 3)
        result = update_prototypes(
            prototypes, sums, torch.tensor(counts), momentum
        )
        for k, count in enumerate(counts):
            if count == 0:
                assert torch.equal(result[k], prototypes[k])
                continue
            mean = sums[k] / count
            wanted = momentum * prototypes[k] + (1 - momentum) * mean
            torch.testing.assert_close(result[k], wanted)

    @given(momentum=st.floats(0.0, 1.0), steps=st.integers(1, 20))
    @_LAW
    def test_closed_form_on_a_constant_batch(self, momentum, steps):
        prototypes = torch.tensor([[2.0, -3.0]])
        for _ in range(steps):
            prototypes = update_prototypes(
                prototypes, torch.tensor([[20.0, 5.0]]), torch.tensor([5]),
                momentum,
            )  # fmt: skip
        kept = momentum**steps
        wanted = [[4 - 2 * kept, 1 - 4 * kept]]
        torch.testing.assert_close(
            prototypes, torch.tensor(wanted), atol=1e-4, rtol=1e-4
        )

    def test_batch_size_does_not_matter_only_the_mean(self):
        prototypes, mean = _random(0, 3, 2), _random(1, 3, 2)
        few = update_prototypes(prototypes, mean, torch.ones(3), 0.9)
        many = update_prototypes(
            prototypes, mean * 1024, torch.full((3,), 1024), 0.9
        )
        torch.testing.assert_close(few, many)
