import numpy as np
import pytest
import torch
from mmseg.registry import TRANSFORMS

from rml_mmseg.datasets import PackSemiSegInputs


def _results(**kwargs):
    rng = np.random.default_rng(0)
    views = rng.integers(0, 255, (3, 2, 3, 3), dtype=np.uint8)
    return dict(
        weak=views[0],
        strong=[views[1], views[2]],
        gt_seg_map=np.array([[257, 258, 255], [260, 255, 256]], np.float32),
        source_shape=(2, 3),
        img_path='a.png',
        ori_shape=(4, 6),
        flip=True,
        **kwargs,
    )


def test_views_become_channels_first():
    results = _results()
    inputs = PackSemiSegInputs()(results)['inputs']
    for view, image in (
        (inputs['weak'], results['weak']),
        (inputs['strong'][0], results['strong'][0]),
        (inputs['strong'][1], results['strong'][1]),
    ):
        assert view.shape == (3, 2, 3)
        assert view.is_contiguous()
        assert view.dtype == torch.uint8
        assert np.array_equal(view[1].numpy(), image[..., 1])


def test_views_of_one_channel():
    results = _results()
    whole = results['weak']
    results.update(weak=whole[..., 0], strong=[whole[..., 1:2]])
    inputs = PackSemiSegInputs()(results)['inputs']
    assert np.array_equal(inputs['weak'].numpy(), whole[None, ..., 0])
    assert np.array_equal(inputs['strong'][0].numpy(), whole[None, ..., 1])


def test_valid_is_all_but_padding():
    packed = PackSemiSegInputs()(_results())
    assert packed['inputs']['valid'].tolist() == [[[1, 1, 0], [1, 0, 1]]]
    assert 'gt_sem_seg' not in packed['data_samples']


def test_monitoring_mask_is_looked_up_where_pixels_came_from():
    mask = np.array([[10, 11, 12], [13, 255, 15]], np.uint8)
    packed = PackSemiSegInputs()(_results(monitor_mask=mask))
    found = packed['data_samples'].gt_sem_seg.data
    assert found.tolist() == [[[11, 12, 255], [255, 255, 10]]]
    assert packed['inputs']['valid'].tolist() == [[[1, 1, 0], [1, 0, 1]]]


def test_places_by_hand():
    places = PackSemiSegInputs()(_results(keep_places=True))['inputs'][
        'places'
    ]
    assert places.shape == (2, 3, 2)
    assert places.dtype == torch.float32
    # Number 258 is the third of the first row, 260 the second of the next.
    assert places[0, 1].tolist() == pytest.approx([2.5 / 3, 0.25])
    assert places[1, 0].tolist() == pytest.approx([1.5 / 3, 0.75])
    assert 'places' not in PackSemiSegInputs()(_results())['inputs']


def test_meta_information_is_kept_where_it_is_there():
    sample = PackSemiSegInputs()(_results())['data_samples']
    assert sample.metainfo == dict(
        img_path='a.png', ori_shape=(4, 6), flip=True
    )
    sample = PackSemiSegInputs(meta_keys=['flip'])(_results())['data_samples']
    assert sample.metainfo == dict(flip=True)


def test_what_the_mixing_needs_is_kept():
    drawn = dict(
        mix_box=np.array((0, 1, 2, 3)),
        mix_mask=np.ones((2, 3), bool),
        mix_classes=np.zeros(256, np.float32),
    )
    for key, value in drawn.items():
        inputs = PackSemiSegInputs()(_results(**{key: value}))['inputs']
        assert np.array_equal(inputs[key].numpy(), value)
    assert not any(
        key.startswith('mix_')
        for key in PackSemiSegInputs()(_results())['inputs']
    )


@pytest.mark.parametrize(
    ('drawn', 'message'),
    [
        (
            dict(mix_mask=np.ones((2, 3), np.float32)),
            r'mix_mask .* must be torch.bool of shape \(2, 3\).*torch.float32',
        ),
        (
            dict(mix_mask=np.ones((3, 2), bool)),
            r'torch.bool of shape \(3, 2\)',
        ),
        (dict(mix_classes=np.ones(7, np.float32)), r'\(256,\).*\(7,\)'),
        (dict(mix_box=np.ones(4, np.float32)), 'mix_box .* torch.int64'),
        (
            dict(mix_box=np.arange(4), mix_mask=np.ones((2, 3), bool)),
            'draws mix_box and mix_mask.*one of them',
        ),
    ],
)
def test_what_cannot_mix_is_named(drawn, message):
    with pytest.raises(ValueError, match=message):
        PackSemiSegInputs()(_results(**drawn))


@pytest.mark.parametrize(
    ('key', 'needed'),
    [('weak', 'WeakStrongViews'), ('source_shape', 'MarkValid')],
)
def test_missing_step_is_an_error_that_names_it(key, needed):
    results = _results()
    del results[key]
    with pytest.raises(KeyError, match=needed):
        PackSemiSegInputs()(results)


def test_registry_and_repr():
    transform = TRANSFORMS.build(
        dict(type='PackSemiSegInputs', meta_keys=('flip',))
    )
    assert repr(transform) == "PackSemiSegInputs(meta_keys=('flip',))"
