"""Panels of records made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

import rml_mmseg  # noqa: F401
from rml_mmseg.visualization import class_colours, draw_panels, panel_grid
from rml_mmseg.visualization.panel_grid import CHANGES
from rml_mmseg.visualization.pixels import (
    IGNORED,
    PADDED,
    paint_labels,
    to_rgb,
)

PALETTE = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
COLOURS = class_colours(3, PALETTE)


def preprocessor(bgr_to_rgb=True, **kwargs):
    return MODELS.build(
        dict(
            type='SemiSegDataPreProcessor',
            mean=[100.0, 50.0, 0.0],
            std=[2.0, 4.0, 8.0],
            bgr_to_rgb=bgr_to_rgb,
            **kwargs,
        )
    )


def make(masks=None, rectifiers=2):
    """A record of one image of 1 x 3 pixels, the last one padding."""
    plain = torch.tensor([[[0, 1, 2]]])
    other = torch.tensor([[[1, 1, 2]]])
    valid = torch.tensor([[[True, True, False]]])
    logits = torch.nn.functional.one_hot(plain, 3).movedim(-1, 1).float()
    targets = [('self', other, 1.0), ('peer1', other.clone(), 1.0)]
    targets[1][1][0, 0, 0] = 255
    record = dict(
        weak=torch.zeros(1, 3, 1, 3),
        valid=valid,
        sources={
            'teachers.0': dict(plain=plain, labels=other),
            'teachers.1': dict(plain=plain, labels=plain),
        },
        mixed=[(torch.ones(1, 3, 1, 3), targets, valid, logits)] * 2,
    )
    if masks is not None:
        record['masks'] = torch.tensor([[masks]])
    model = SimpleNamespace(
        data_preprocessor=preprocessor(), rectifiers=[None] * rectifiers
    )
    return record, model


def titles(rows):
    return [[panel and panel.title for panel in row] for row in rows]


def test_grid_without_masks():
    rows = panel_grid(*make(), COLOURS)
    assert titles(rows) == [
        ['weak view', 'teachers.0: labels', 'teachers.1: labels', None],
        [None, 'teachers.0: 50.0% changed', 'teachers.1: 0.0% changed', None],
        *(
            [
                f'students.{i}: mixed view',
                'its label, self',
                'its label, peer1',
                f'students.{i}: prediction',
            ]
            for i in (0, 1)
        ),
    ]
    grid = [[panel and panel.picture[0].tolist() for panel in r] for r in rows]
    assert grid[0][0] == [[100, 50, 0]] * 3
    assert grid[0][1] == [PALETTE[1], PALETTE[1], list(PADDED)]
    # The class that a pixel got, and the image at 0.4 of its brightness.
    assert grid[1][1] == [PALETTE[1], [20] * 3, [20] * 3]
    assert grid[1][2] == [[20] * 3] * 3
    assert grid[2][0] == [[102, 54, 8]] * 3
    assert grid[2][2] == [list(IGNORED), PALETTE[1], list(PADDED)]
    assert grid[2][3] == [PALETTE[0], PALETTE[1], list(PADDED)]
    assert rows[2][2].ids == {1, 255}
    assert rows[0][0].ids == set()


@pytest.mark.parametrize(
    ('truth', 'kind'),
    [(1, 'mended'), (0, 'spoilt'), (2, 'wrong before and after')],
)
def test_masks_tell_whether_a_change_was_right(truth, kind):
    rows = panel_grid(*make(masks=[truth, 1, 255]), COLOURS)
    assert titles(rows)[0][-1] == 'ground truth'
    assert rows[0][-1].picture[0, 0].tolist() == PALETTE[truth]
    changed = rows[1][1].picture[0].tolist()
    assert changed == [list(CHANGES[kind]), [20] * 3, [20] * 3]


def test_a_change_without_truth_is_not_judged():
    rows = panel_grid(*make(masks=[255, 1, 255]), COLOURS)
    assert rows[1][1].picture[0].tolist() == [[20] * 3] * 3


def test_no_row_of_changes_without_a_rectifier():
    rows = panel_grid(*make(rectifiers=0), COLOURS)
    assert len(rows) == 3


def test_ground_truth_gets_a_place_of_its_own():
    record, model = make(masks=[0, 0, 0])
    record['mixed'] = []
    rows = panel_grid(record, model, COLOURS)
    assert titles(rows)[0][-2:] == ['teachers.1: labels', 'ground truth']


def test_images_look_as_they_were_loaded():
    image = torch.tensor([[[10]], [[20]], [[30]]], dtype=torch.uint8)
    for convert, expected in ((True, [30, 20, 10]), (False, [30, 20, 10])):
        unit = preprocessor(bgr_to_rgb=convert)
        batch = unit.base(dict(inputs=[image]), training=False)
        picture = to_rgb(batch['inputs'][0], unit.base)
        assert picture.tolist() == [[expected]]


def test_images_without_normalisation():
    unit = MODELS.build(dict(type='SemiSegDataPreProcessor'))
    picture = to_rgb(torch.full((3, 1, 1), 7.0), unit.base)
    assert picture.tolist() == [[[7, 7, 7]]]


@pytest.mark.parametrize('channels', [1, 2, 4, 6])
def test_images_of_other_channels_are_stretched(channels):
    unit = MODELS.build(dict(type='SemiSegDataPreProcessor'))
    image = torch.zeros(channels, 1, 2)
    image[0, 0], image[-1, 0] = torch.tensor([-3.0, 1.0]), 9.0
    picture = to_rgb(image, unit.base)
    assert picture.shape == (1, 2, 3)
    # Of more channels the first three count as BGR and are shown reversed.
    first = picture[0, :, 2 if channels > 3 else 0].tolist()
    assert first == ([0, 0] if channels == 1 else [0, 255])


def test_colours_of_a_palette_and_without_one():
    assert COLOURS[3:].tolist() == [list(IGNORED)] * 253
    own = class_colours(150)
    assert len({tuple(c) for c in own[:150].tolist()}) == 150
    assert own[255].tolist() == list(IGNORED)


def test_painting_does_not_touch_the_palette():
    before = COLOURS.copy()
    labels = torch.zeros(2, 2, dtype=torch.long)
    paint_labels(labels, COLOURS, torch.zeros(2, 2, dtype=torch.bool))
    assert np.array_equal(COLOURS, before)


def test_the_picture_shows_panels_and_legend():
    rows = panel_grid(*make(), COLOURS)
    picture = draw_panels(rows, {'road': (1, 2, 250)}, 'iteration 5')
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (960, 3)
    colours = {tuple(c) for c in np.unique(picture.reshape(-1, 3), axis=0)}
    assert {tuple(PALETTE[0]), tuple(PALETTE[1]), (1, 2, 250)} <= colours
    bare = draw_panels(rows, {})
    assert not (bare == (1, 2, 250)).all(-1).any()


def test_names_are_no_formulas():
    legend = {r'$\lost$': (1, 2, 250)}
    picture = draw_panels(panel_grid(*make(), COLOURS), legend, r'a$\b$.py')
    assert (picture == (1, 2, 250)).all(-1).any()


def test_a_legend_of_long_names_is_whole():
    legend = {f'{i} and {"forty letters" * 3}': (1, i, 250) for i in range(9)}
    picture = draw_panels(panel_grid(*make(), COLOURS), legend)
    for colour in legend.values():
        assert (picture == colour).all(-1).any()
    assert (picture[-50:, [0, -1]] == 255).all()
