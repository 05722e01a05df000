import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.models.utils import apply_cutmix, sample_cutmix_box

_LAW = settings(deadline=None, max_examples=60)


class _Constant:
    """A generator that always draws the same fraction of the range."""

    def __init__(self, fraction: float) -> None:
        self.fraction = fraction

    def uniform(self, low=0.0, high=1.0, size=None):
        value = low + (high - low) * self.fraction
        return value if size is None else np.full(size, value)


def _draw_mixes(data, items=4, height=5, width=6):
    """Boxes, partners and, by loops, the item each pixel comes from."""

    def side(length):
        pair = st.tuples(st.integers(0, length), st.integers(0, length))
        return data.draw(pair.map(sorted))

    boxes, partner = [], []
    source = torch.arange(items).view(-1, 1, 1).repeat(1, height, width)
    for n in range(items):
        (y1, y2), (x1, x2) = side(height), side(width)
        boxes.append([y1, x1, y2, x2])
        partner.append(data.draw(st.integers(0, items - 1)))
        for y in range(y1, y2):
            for x in range(x1, x2):
                source[n, y, x] = partner[n]
    return torch.tensor(boxes), torch.tensor(partner), source


def _distance_to_uniform(values) -> float:
    """The Kolmogorov-Smirnov statistic times the root of the size."""
    values = np.sort(values)
    steps = np.arange(len(values) + 1) / len(values)
    gap = max((values - steps[:-1]).max(), (steps[1:] - values).max())
    return gap * math.sqrt(len(values))


class TestSampleCutMixBox:
    def test_middle_of_every_range(self):
        # exp(ln(1/4) / 2) = 1/2 of each side, in the middle.
        box = sample_cutmix_box(80, 160, _Constant(0.5), area=0.25)
        assert tuple(box) == (20, 40, 60, 120)

    def test_lower_end_of_every_range(self):
        # exp(0) = 1: the full height and so `area` of the width.
        box = sample_cutmix_box(80, 160, _Constant(0.0), area=0.25)
        assert tuple(box) == (0, 0, 80, 40)

    def test_upper_end_of_every_range(self):
        # exp(ln(1/4)): the full width; the box lies at the lower border.
        box = sample_cutmix_box(80, 160, _Constant(1 - 1e-9), area=0.25)
        assert tuple(box) == (60, 0, 80, 160)

    def test_half_of_the_image_by_default(self):
        box = sample_cutmix_box(100, 100, _Constant(0.0))
        assert tuple(box) == (0, 0, 100, 50)

    @given(
        # Sides of at least half a pixel: smaller ones cannot be rounded.
        height=st.integers(10, 600),
        width=st.integers(10, 600),
        area=st.floats(0.05, 1.0),
        seed=st.integers(0, 2**32 - 1),
        make=st.sampled_from([np.random.RandomState, np.random.default_rng]),
    )
    @_LAW
    def test_box_is_inside_and_of_the_right_area(
        self, height, width, area, seed, make
    ):
        box = sample_cutmix_box(height, width, make(seed), area)
        y1, x1, y2, x2 = box
        assert all(isinstance(v, (int, np.integer)) for v in box)
        assert 0 <= y1 <= y2 <= height
        assert 0 <= x1 <= x2 <= width
        # Each side may be off by half a pixel, so the area by half of both
        # sides.
        h, w = y2 - y1, x2 - x1
        slack = 0.5 * (h + 0.5) + 0.5 * (w + 0.5) + 0.25
        assert abs(h * w - area * height * width) <= slack
        assert area * height - 0.5 <= h + 1e-6
        assert area * width - 0.5 <= w + 1e-6

    @given(
        height=st.integers(1, 9),
        width=st.integers(1, 9),
        area=st.floats(0.05, 1.0),
        seed=st.integers(0, 2**32 - 1),
    )
    @_LAW
    def test_box_stays_inside_tiny_images(self, height, width, area, seed):
        generator = np.random.default_rng(seed)
        y1, x1, y2, x2 = sample_cutmix_box(height, width, generator, area)
        assert 0 <= y1 <= y2 <= height
        assert 0 <= x1 <= x2 <= width

    @given(seed=st.integers(0, 2**32 - 1))
    @_LAW
    def test_whole_image(self, seed):
        generator = np.random.default_rng(seed)
        box = sample_cutmix_box(7, 9, generator, area=1.0)
        assert tuple(box) == (0, 0, 7, 9)

    @pytest.mark.parametrize(
        'make', [np.random.RandomState, np.random.default_rng]
    )
    def test_same_seed_same_boxes(self, make):
        def draw(seed):
            generator = make(seed)
            return [sample_cutmix_box(64, 96, generator) for _ in range(20)]

        assert draw(3) == draw(3)
        assert draw(3) != draw(4)
        assert len(set(map(tuple, draw(3)))) > 10

    def test_global_generator_is_not_touched(self):
        np.random.seed(0)
        wanted = np.random.RandomState(0).uniform(size=4).tolist()
        sample_cutmix_box(64, 96, np.random.default_rng(5))
        assert np.random.uniform(size=4).tolist() == wanted

    @pytest.mark.parametrize('area', [0.2, 0.5])
    def test_distribution(self, area):
        generator = np.random.default_rng(11)
        side = 20000
        boxes = np.array(
            [
                sample_cutmix_box(side, side, generator, area)
                for _ in range(3000)
            ],
            dtype=float,
        )
        y1, x1, y2, x2 = boxes.T
        h, w = y2 - y1, x2 - x1
        # ln(h / H) / ln(area) is the U of exp(U ln area). A statistic above
        # 1.95 has a probability of 1 in 1000.
        assert _distance_to_uniform(np.log(h / side) / math.log(area)) < 1.95
        assert _distance_to_uniform(np.log(w / side) / math.log(area)) < 1.95
        top, left = y1 / (side - h), x1 / (side - w)
        assert _distance_to_uniform(top) < 1.95
        assert _distance_to_uniform(left) < 1.95
        # Down, across and shape are drawn independently of one another.
        assert abs(np.corrcoef(top, left)[0, 1]) < 0.07
        assert abs(np.corrcoef(top, h)[0, 1]) < 0.07


class TestApplyCutMix:
    def test_by_hand(self):
        tensor = torch.tensor([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [0, 1, 2]]])
        boxes = torch.tensor([[0, 1, 2, 2], [1, 0, 2, 3]])
        mixed = apply_cutmix(tensor, boxes, torch.tensor([1, 0]))
        assert mixed.tolist() == [
            [[1, 8, 3], [4, 1, 6]],
            [[7, 8, 9], [4, 5, 6]],
        ]

    def test_partners_give_their_own_pixels_never_mixed_ones(self):
        tensor = torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1, 1)
        tensor = tensor.expand(3, 2, 4, 4).contiguous()
        boxes = torch.tensor([[0, 0, 4, 4]] * 3)
        mixed = apply_cutmix(tensor, boxes, torch.tensor([1, 2, 0]))
        assert mixed[:, 0, 0, 0].tolist() == [20, 30, 10]

    @given(data=st.data())
    @_LAW
    def test_image_label_and_weight_move_alike(self, data):
        boxes, partner, source = _draw_mixes(data)
        generator = torch.Generator().manual_seed(data.draw(st.integers(0, 9)))
        shape = (4, 5, 6)
        tensors = {
            'image': torch.rand(4, 3, 5, 6, generator=generator),
            'probability': torch.rand(4, 2, 2, 5, 6, generator=generator),
            'label': torch.randint(255, shape, generator=generator),
            'byte label': torch.randint(
                255, shape, generator=generator
            ).byte(),
            'weight': torch.rand(shape, generator=generator),
            'valid': torch.rand(shape, generator=generator) > 0.5,
        }
        for name, tensor in tensors.items():
            mixed = apply_cutmix(tensor, boxes, partner)
            assert mixed.shape == tensor.shape, name
            assert mixed.dtype == tensor.dtype, name
            for n, y, x in np.ndindex(*shape):
                wanted = tensor[source[n, y, x], ..., y, x]
                assert torch.equal(mixed[n, ..., y, x], wanted), name

    @given(data=st.data())
    @_LAW
    def test_identity_partner_changes_nothing(self, data):
        boxes, _, _ = _draw_mixes(data)
        tensor = torch.arange(4 * 2 * 5 * 6).view(4, 2, 5, 6)
        mixed = apply_cutmix(tensor, boxes, torch.arange(4))
        assert torch.equal(mixed, tensor)

    @given(y=st.integers(0, 5), x=st.integers(0, 6))
    @_LAW
    def test_empty_boxes_change_nothing(self, y, x):
        tensor = torch.arange(2 * 5 * 6).view(2, 5, 6)
        for box in ([y, 0, y, 6], [0, x, 5, x]):
            boxes = torch.tensor([box, box])
            mixed = apply_cutmix(tensor, boxes, torch.tensor([1, 0]))
            assert torch.equal(mixed, tensor)

    @given(data=st.data())
    @_LAW
    def test_swapping_back_restores_the_pair(self, data):
        box = _draw_mixes(data, items=1)[0].repeat(2, 1)
        tensor = torch.arange(2 * 5 * 6).view(2, 5, 6)
        swap = torch.tensor([1, 0])
        once = apply_cutmix(tensor, box, swap)
        assert torch.equal(apply_cutmix(once, box, swap), tensor)

    def test_argument_is_left_alone(self):
        tensor = torch.arange(2 * 4 * 4).view(2, 4, 4)
        before = tensor.clone()
        boxes = torch.tensor([[0, 0, 4, 4], [1, 1, 3, 3]])
        mixed = apply_cutmix(tensor, boxes, torch.tensor([1, 0]))
        mixed.fill_(-1)
        assert torch.equal(tensor, before)

    @pytest.mark.parametrize('poison', [math.nan, math.inf])
    def test_pixels_left_out_cannot_leak_in(self, poison):
        # A blend by multiplication would let 0 * inf through.
        tensor = torch.zeros(2, 1, 2, 2)
        tensor[1, 0, 0, 0] = poison
        boxes = torch.tensor([[1, 0, 2, 2], [0, 0, 1, 1]])
        mixed = apply_cutmix(tensor, boxes, torch.tensor([1, 0]))
        assert torch.equal(mixed, torch.zeros(2, 1, 2, 2))

    def test_sampled_boxes_fit(self):
        generator = np.random.default_rng(0)
        boxes = torch.tensor(
            [tuple(sample_cutmix_box(8, 10, generator)) for _ in range(3)]
        )
        tensor = torch.arange(3).view(3, 1, 1).expand(3, 8, 10)
        mixed = apply_cutmix(tensor, boxes, torch.tensor([1, 2, 0]))
        for n, (y1, x1, y2, x2) in enumerate(boxes.tolist()):
            wanted = tensor[n].clone()
            wanted[y1:y2, x1:x2] = (n + 1) % 3
            assert torch.equal(mixed[n], wanted)
