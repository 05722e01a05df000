import pytest

from rml_mmseg.semi_config.pipelines import (
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
    with pytest.raises(ValueError, match="'RandomMosaic' is not known"):
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
