import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from rml_mmseg.semi_config.pipelines import (
    STRONG_VIEWS,
    image_pipeline,
    unlabelled_pipeline,
    without_zero_label,
)


def steps(*names):
    return [dict(type=name) for name in names]


def types(pipeline):
    return [step['type'] for step in pipeline]


def test_geometry_stays_and_colours_go():
    train = [
        *steps('LoadImageFromFile', 'LoadAnnotations'),
        dict(type='RandomResize', scale=(8, 4)),
        dict(type='mmseg.RandomCrop', crop_size=(4, 4), cat_max_ratio=0.75),
        *steps('RandomFlip', 'PhotoMetricDistortion', 'GenerateEdge'),
        dict(type='Pad', size=(4, 4)),
        *steps('PackSegInputs'),
    ]
    pipeline = unlabelled_pipeline(train, 3)
    assert types(pipeline) == [
        'LoadImageFromFile',
        'MarkValid',
        'RandomResize',
        'mmseg.RandomCrop',
        'RandomFlip',
        'Pad',
        'WeakStrongViews',
        'CutMix',
        'PackSemiSegInputs',
    ]
    assert pipeline[2]['scale'] == (8, 4)
    assert pipeline[3]['cat_max_ratio'] == 1.0
    assert pipeline[6]['num_strong'] == 3
    # The stock pipeline is left as it was.
    assert train[3]['cat_max_ratio'] == 0.75


def test_unknown_transform_is_refused():
    train = steps('LoadImageFromFile', 'RandomMosaic', 'PackSegInputs')
    with pytest.raises(ValueError, match="'RandomMosaic' may not suit images"):
        unlabelled_pipeline(train, 2)


def test_no_loading():
    with pytest.raises(ValueError, match='LoadImageFromFile'):
        unlabelled_pipeline(steps('Resize'), 2)


def test_whole_images_have_no_labels():
    test = steps(
        'LoadImageFromFile', 'Resize', 'LoadAnnotations', 'PackSegInputs'
    )
    assert types(image_pipeline(test)) == [
        'LoadImageFromFile',
        'Resize',
        'PackSegInputs',
    ]


def test_zero_label():
    train = [dict(type='LoadAnnotations', reduce_zero_label=True, a=1)]
    assert without_zero_label(train) == [dict(type='LoadAnnotations', a=1)]
    assert train[0]['reduce_zero_label']


@pytest.mark.parametrize('name', STRONG_VIEWS)
def test_strong_views_differ_in_colour_alone(name):
    views = dict(
        type='WeakStrongViews', strong=STRONG_VIEWS[name], num_strong=40
    )
    fork = TRANSFORMS.build(views)
    rng = np.random.default_rng(0)
    image = np.zeros((24, 32, 3), np.uint8)
    image[:, 16:] = rng.integers(60, 200, 3)
    strong = fork(dict(img=image))['strong']
    assert len({view.tobytes() for view in strong}) > 20
    for view in strong:
        assert view.dtype == np.uint8
        # Nothing moves; a blur reaches only so far beside the edge.
        for half in (view[:, :6], view[:, 26:]):
            assert (half == half[:1, :1]).all()


def test_jitter_drops_and_turns_colours():
    np.random.seed(0)
    views = dict(
        type='WeakStrongViews', strong=STRONG_VIEWS['jitter'], num_strong=200
    )
    image = np.full((4, 4, 3), (40, 90, 200), np.uint8)
    strong = TRANSFORMS.build(views)(dict(img=image))['strong']
    pixels = np.array([view[0, 0] for view in strong], int)
    grey = (np.ptp(pixels, axis=1) <= 1).mean()
    same = (pixels == (40, 90, 200)).all(axis=1).mean()
    largest = {int(pixel.argmax()) for pixel in pixels if np.ptp(pixel) > 9}
    assert 0.12 < grey < 0.3
    assert 0.08 < same < 0.26
    assert largest == {0, 1, 2}
