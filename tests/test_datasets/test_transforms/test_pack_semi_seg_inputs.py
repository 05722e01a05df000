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
        gt_seg_map=np.array([[0, 1, 255], [256, 255, 2]], np.uint16),
        monitored=False,
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


def test_valid_is_all_but_padding():
    packed = PackSemiSegInputs()(_results())
    assert packed['inputs']['valid'].tolist() == [[[1, 1, 0], [1, 0, 1]]]
    assert 'gt_sem_seg' not in packed['data_samples']


def test_monitored_mask_gets_its_ignored_pixels_back():
    packed = PackSemiSegInputs()(dict(_results(), monitored=True))
    mask = packed['data_samples'].gt_sem_seg.data
    assert mask.tolist() == [[[0, 1, 255], [255, 255, 2]]]
    assert packed['inputs']['valid'].tolist() == [[[1, 1, 0], [1, 0, 1]]]


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
    inputs = PackSemiSegInputs()(_results(**drawn))['inputs']
    for key, value in drawn.items():
        assert np.array_equal(inputs[key].numpy(), value)
    assert not any(
        key.startswith('mix_')
        for key in PackSemiSegInputs()(_results())['inputs']
    )


@pytest.mark.parametrize(
    ('key', 'needed'),
    [('weak', 'WeakStrongViews'), ('monitored', 'MarkValid')],
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
