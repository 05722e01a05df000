import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.models.utils import mixing
from rml_mmseg.models.utils.mixing import (
    class_masks,
    hard_labels,
    joined_views,
    mix_masks,
    mixed_view,
)

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

    @pytest.mark.parametrize('number', [0, 1, 2])
    def test_one_of_several_masks(self, number):
        labels = torch.tensor([[[0, 0, 1]], [[1, 2, 0]]])
        inputs = dict(
            mix_boxes=torch.randint(4, (2, 2, 4)),
            mix_masks=torch.rand(2, 2, 1, 3) < 0.5,
            mix_classes=torch.rand(2, 2, 256),
        )
        for key, drawn in inputs.items():
            masks = mix_masks({key: drawn}, labels, PARTNER, number)
            single = {key: drawn[:, number % 2]}
            assert torch.equal(masks, mix_masks(single, labels, PARTNER))

    @pytest.mark.parametrize('inputs', [{}, dict(weak=torch.zeros(2))])
    def test_nothing_drawn_nothing_mixed(self, inputs):
        assert mix_masks(inputs, torch.zeros(2, 1, 2), PARTNER) is None


class TestMixedView:
    def test_view_labels_and_validity_are_mixed_alike(self, monkeypatch):
        # Boxes need no class ids, which are slow to get from probabilities.
        monkeypatch.setattr(mixing, 'hard_labels', None)
        view = torch.arange(6.0).view(2, 1, 1, 3)
        inputs = dict(
            strong=torch.stack([view - 9, view]),
            valid=torch.tensor([[[True, True, False]], [[True, False, True]]]),
            mix_boxes=torch.tensor([[0, 2, 1, 3], [0, 0, 1, 1]]),
        )
        soft = torch.rand(2, 4, 1, 3)
        ids = torch.tensor([[[0, 1, 2]], [[3, 4, 5]]])
        image, targets, valid = mixed_view(
            inputs, [('self', ids, 0.5), ('peer1', soft, 2.0)], view=3
        )
        assert image.flatten().tolist() == [0, 1, 5, 0, 4, 5]
        assert targets[0][1].flatten().tolist() == [0, 1, 5, 0, 4, 5]
        assert torch.equal(targets[1][1][0, :, 0, 2], soft[1, :, 0, 2])
        assert torch.equal(targets[1][1][1, :, 0, 1:], soft[1, :, 0, 1:])
        assert [(name, weight) for name, _, weight in targets] == [
            ('self', 0.5),
            ('peer1', 2.0),
        ]
        assert valid.flatten().tolist() == [
            True,
            True,
            True,
            True,
            False,
            True,
        ]

    def test_classes_of_padding_are_not_pasted(self):
        ids = torch.tensor([[[0, 0, 0]], [[1, 2, 3]]])
        inputs = dict(
            strong=torch.zeros(1, 2, 3, 1, 3),
            valid=torch.tensor([[[True] * 3], [[True, True, False]]]),
            # 3 would be first, were it in the image.
            mix_classes=_order(3, 2, n=2),
        )
        _, ((_, labels, _),), valid = mixed_view(
            inputs, [('self', ids, 1.0)], view=0
        )
        assert labels[0].tolist() == [[0, 2, 0]]
        assert valid[0].all()

    def test_without_masks_all_stays(self):
        strong, valid = torch.rand(1, 2, 3, 1, 2), torch.ones(2, 1, 2) > 0
        targets = [('self', torch.zeros(2, 1, 2).long(), 1.0)]
        inputs = dict(strong=strong, valid=valid)
        image, same, kept = mixed_view(inputs, targets, view=0)
        assert torch.equal(image, strong[0])
        assert same is targets and kept is valid

    def test_joined_views(self):
        views = [
            (
                torch.full((1, 3, 1, 1), float(i)),
                [('self', torch.tensor([[[i]]]), 0.5)],
                torch.tensor([[[i > 0]]]),
            )
            for i in range(2)
        ]
        assert joined_views(views[:1]) is views[0]
        image, ((name, labels, weight),), valid = joined_views(views)
        assert image[:, 0].flatten().tolist() == [0, 1]
        assert (name, weight) == ('self', 0.5)
        assert labels.flatten().tolist() == [0, 1]
        assert valid.flatten().tolist() == [False, True]


def test_hard_labels():
    probs = torch.tensor([[0.3, 0.7], [0.6, 0.4]]).view(2, 2, 1, 1)
    assert hard_labels(probs).flatten().tolist() == [1, 0]
    ids = torch.tensor([[[255]]])
    assert hard_labels(ids) is ids


def test_infinite_numbers_mix_none_of_all_classes():
    labels = torch.arange(255).view(1, 15, 17)
    assert not class_masks(labels, torch.full((1, 256), torch.inf)).any()


def test_weights_of_pixels_are_mixed_as_labels_are():
    labels = torch.arange(8).view(2, 2, 2)
    weights = labels / 10
    inputs = dict(
        strong=torch.zeros(1, 2, 3, 2, 2),
        valid=torch.ones(2, 2, 2, dtype=torch.bool),
        mix_masks=torch.tensor([[[True, False], [False, False]]]).repeat(
            2, 1, 1
        ),
    )
    targets = [('self', labels, weights), ('peer1', labels, 0.5)]
    view = mixed_view(inputs, targets, 0)
    (_, mixed, own), (_, _, shared) = view[1]
    assert mixed[0].tolist() == [[4, 1], [2, 3]]
    torch.testing.assert_close(own, mixed / 10)
    assert shared == 0.5
    _, joined, _ = joined_views([view, view])
    torch.testing.assert_close(joined[0][2], torch.cat([own, own]))
    assert joined[1][2] == 0.5
