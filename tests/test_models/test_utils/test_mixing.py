import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.models.utils.mixing import class_masks, mix_masks

_LAW = settings(deadline=None, max_examples=50)
PARTNER = torch.tensor([1, 0])


def _order(*smallest, n=1):
    """Numbers that put the named classes first, the others by id."""
    order = torch.arange(256.0).repeat(n, 1) + 1
    for rank, name in enumerate(smallest):
        order[:, name] = rank / 1000
    return order


class TestClassMasks:
    def test_half_of_the_classes_by_hand(self):
        labels = torch.tensor([[[0, 3], [7, 7], [2, 255]]])
        # Of 0, 2, 3 and 7 the two with the smallest numbers.
        mask = class_masks(labels, _order(9, 7, 3))
        assert mask.tolist() == [[[False, True], [True, True], [False, False]]]

    def test_odd_number_is_rounded_up(self):
        labels = torch.tensor([[[0, 1, 2]]])
        assert class_masks(labels, _order(2)).tolist() == [
            [[True, False, True]]
        ]
        only = torch.tensor([[[4, 255, 4]]])
        assert class_masks(only, _order(0)).tolist() == [[[True, False, True]]]

    def test_infinite_numbers_mix_nothing(self):
        order = torch.stack([_order()[0] + torch.inf, _order()[0]])
        mask = class_masks(torch.zeros(2, 2, 2, dtype=torch.long), order)
        assert not mask[0].any()
        assert mask[1].all()

    def test_ignored_pixels_alone_mix_nothing(self):
        labels = torch.full((1, 2, 2), 255)
        assert not class_masks(labels, _order(255)).any()

    @_LAW
    @given(seed=st.integers(0, 2**16), classes=st.integers(1, 30))
    def test_against_sets(self, seed, classes):
        draw = torch.Generator().manual_seed(seed)
        labels = torch.randint(classes, (3, 4, 5), generator=draw)
        labels[torch.rand(3, 4, 5, generator=draw) < 0.2] = 255
        order = torch.rand(3, 256, generator=draw)
        masks = class_masks(labels, order)
        for mask, ids, numbers in zip(masks, labels, order):
            present = sorted(
                set(ids.flatten().tolist()) - {255},
                key=lambda i, numbers=numbers: float(numbers[i]),
            )
            chosen = present[: (len(present) + 1) // 2]
            assert mask.flatten().tolist() == [
                i in chosen for i in ids.flatten().tolist()
            ]


class TestMixMasks:
    def test_boxes(self):
        boxes = torch.tensor([[0, 0, 1, 2], [0, 0, 0, 0]])
        masks = mix_masks(dict(mix_boxes=boxes), torch.zeros(2, 2, 3), PARTNER)
        assert masks.tolist() == [
            [[True, True, False], [False, False, False]],
            [[False] * 3] * 2,
        ]

    def test_masks_of_the_pipeline_are_taken(self):
        drawn = torch.rand(2, 2, 3) < 0.5
        inputs = dict(mix_masks=drawn)
        assert torch.equal(mix_masks(inputs, drawn, PARTNER), drawn)

    def test_classes_are_those_of_the_pasted_image(self):
        labels = torch.tensor([[[0, 0]], [[1, 2]]])
        inputs = dict(mix_classes=_order(2, n=2))
        masks = mix_masks(inputs, labels, PARTNER)
        assert masks.tolist() == [[[False, True]], [[True, True]]]

    @pytest.mark.parametrize('inputs', [{}, dict(weak=torch.zeros(2))])
    def test_nothing_drawn_nothing_mixed(self, inputs):
        assert mix_masks(inputs, torch.zeros(2, 1, 2), PARTNER) is None
