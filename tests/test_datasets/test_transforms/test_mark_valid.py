"""The valid map, through stock geometric transforms to the packed item."""

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmseg.registry import TRANSFORMS

from rml_mmseg.datasets import MarkValid
from rml_mmseg.datasets.transforms.mark_valid import source_indices

SIZE = 12
PAD = dict(type='Pad', size=(16, 16), pad_val=dict(img=0, seg=255))
GEOMETRY = {
    'nothing': [],
    'resize': [
        dict(type='Resize', scale=(24, 24), interpolation='nearest'),
    ],
    'crop': [dict(type='RandomCrop', crop_size=(7, 5))],
    'flip': [dict(type='RandomFlip', prob=1.0, direction='horizontal')],
    'pad': [PAD],
    'pad with class 0': [
        dict(type='RandomCrop', crop_size=(12, 8)),
        dict(type='Pad', size=(16, 16), pad_val=dict(img=0, seg=0)),
        dict(type='RandomRotate', prob=1, degree=(90, 90), seg_pad_val=0),
    ],
    'rotate': [PAD, dict(type='RandomRotate', prob=1, degree=(90, 90))],
    'shear': [
        dict(type='RandomCrop', crop_size=(12, 8)),
        dict(type='RandomRotate', prob=1, degree=(90, 90)),
    ],
    'all': [
        dict(
            type='RandomResize',
            scale=(SIZE, SIZE),
            ratio_range=(0.5, 2.0),
            interpolation='nearest',
        ),
        dict(type='RandomCrop', crop_size=(14, 10)),
        dict(
            type='RandomFlip',
            prob=[0.4, 0.4],
            direction=['horizontal', 'vertical'],
        ),
        PAD,
        dict(type='RandomRotate', prob=0.5, degree=(90, 90)),
        dict(type='RandomCrop', crop_size=(11, 11)),
    ],
}


def _image():
    """Image whose channels are row, column and 9, which marks real pixels."""
    rows, columns = np.mgrid[1 : SIZE + 1, 1 : SIZE + 1]
    nine = np.full_like(rows, 9)
    return np.stack([rows, columns, nine], axis=-1).astype(np.uint8)


def _class_of(image):
    """Classes, some ignored, by the places in a view (3, H, W)."""
    rows, columns = image[0].astype(int), image[1].astype(int)
    classes = (rows * 3 + columns * 5) % 7
    return np.where(classes == 6, 255, classes)


def _packed(steps, mask_path=None, seed=0, **more):
    pipeline = Compose(
        [
            TRANSFORMS.build(step)
            for step in (
                dict(type='MarkValid'),
                *steps,
                dict(type='WeakStrongViews'),
                dict(type='PackSemiSegInputs'),
            )
        ]
    )
    results = dict(
        img=_image(), img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE), **more
    )
    if mask_path:
        results['seg_map_path'] = str(mask_path)
    np.random.seed(seed)
    return pipeline(results)


@pytest.fixture
def mask_path(tmp_path):
    path = tmp_path / 'mask.png'
    mask = _class_of(_image().transpose(2, 0, 1))
    cv2.imwrite(str(path), mask.astype(np.uint8))
    return path


@pytest.mark.parametrize('name', GEOMETRY)
@pytest.mark.parametrize('seed', range(5))
def test_valid_map_follows_the_image(name, seed):
    inputs = _packed(GEOMETRY[name], seed=seed)['inputs']
    weak = inputs['weak'].numpy()
    assert inputs['valid'].shape == (1, *weak.shape[1:])
    assert np.array_equal(inputs['valid'][0].numpy(), weak[2] == 9)


@pytest.mark.parametrize('name', GEOMETRY)
@pytest.mark.parametrize('seed', range(5))
def test_monitoring_mask_follows_too_and_is_no_padding(name, seed, mask_path):
    packed = _packed(GEOMETRY[name], mask_path, seed)
    weak = packed['inputs']['weak'].numpy()
    valid = packed['inputs']['valid'][0].numpy().astype(bool)
    mask = packed['data_samples'].gt_sem_seg.data[0].numpy()
    assert np.array_equal(valid, weak[2] == 9)
    assert np.array_equal(mask[valid], _class_of(weak)[valid])
    assert (mask[~valid] == 255).all()
    assert (mask[valid] == 255).any()


def test_numbers_that_were_interpolated_are_refused(mask_path):
    turn = dict(
        type='RandomRotFlip', rotate_prob=1.0, flip_prob=0.0, degree=(20, 20)
    )
    assert _packed([turn])['inputs']['valid'].any()
    for more in (dict(mask_path=mask_path), dict(keep_places=True)):
        with pytest.raises(ValueError, match='RandomRotFlip'):
            _packed([turn], **more)


@pytest.mark.parametrize(
    'name', ['pad', 'pad with class 0', 'rotate', 'shear']
)
def test_padding_exists_in_these_cases(name):
    valid = _packed(GEOMETRY[name])['inputs']['valid']
    assert valid.sum() < valid.numel()


@pytest.mark.parametrize('name', GEOMETRY)
@pytest.mark.parametrize('seed', range(3))
def test_places_tell_where_a_pixel_came_from(name, seed):
    inputs = _packed(GEOMETRY[name], seed=seed, keep_places=True)['inputs']
    valid = inputs['valid'][0].bool()
    rows, columns, _ = inputs['weak'][:, valid]
    x, y = inputs['places'][valid].unbind(1)
    # The image counts from 1; places are the centres of pixels.
    np.testing.assert_allclose(x * SIZE + 0.5, columns, atol=1e-4)
    np.testing.assert_allclose(y * SIZE + 0.5, rows, atol=1e-4)


def test_places_are_left_out_unless_asked_for():
    assert 'places' not in _packed([])['inputs']


def test_numbers_before_geometry():
    results = MarkValid()(dict(img=np.zeros((2, 3, 3), np.uint8)))
    assert results['seg_fields'] == ['gt_seg_map']
    assert results['gt_seg_map'].tolist() == [[256, 257, 258], [259, 260, 261]]
    assert results['source_shape'] == (2, 3)
    assert 'monitor_mask' not in results


def _marked_after(steps):
    results = dict(
        img=_image(), img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE)
    )
    np.random.seed(0)
    steps = [*steps, dict(type='MarkValid')]
    return Compose([TRANSFORMS.build(step) for step in steps])(results)


HALF = dict(type='Resize', scale=(7, 5), keep_ratio=False)
TWICE = dict(type='Resize', scale=(2 * SIZE, 2 * SIZE))


@pytest.mark.parametrize(
    'steps',
    [
        GEOMETRY['crop'],
        GEOMETRY['flip'],
        GEOMETRY['pad'],
        [TWICE, dict(type='RandomCrop', crop_size=(SIZE, SIZE))],
        [HALF, *GEOMETRY['flip']],
    ],
)
def test_an_image_that_is_not_whole_is_refused(steps):
    with pytest.raises(ValueError, match='MarkValid.*before the geometric'):
        _marked_after(steps)


@pytest.mark.parametrize(
    'step',
    [
        HALF,
        TWICE,
        dict(type='Resize', scale=(7, 7), keep_ratio=True),
        dict(type='Resize', scale_factor=0.37),
        dict(type='RandomFlip', prob=0.0),
        dict(type='RandomResize', scale=(9, 7), ratio_range=(0.5, 2.0)),
        dict(type='ResizeShortestEdge', scale=5, max_size=100),
    ],
)
def test_a_resized_image_is_whole(step):
    results = _marked_after([step])
    assert results['source_shape'] == results['img'].shape[:2]


@pytest.mark.parametrize('size', [(3000, 4000), (5000, 4000)])
def test_numbers_of_large_images_are_exact(size):
    numbers = source_indices(*size)
    assert numbers[0, 0] == 256
    assert numbers[-1, -1] == 255 + size[0] * size[1]
    assert (np.diff(numbers[-1]) == 1).all()


def test_mask_for_monitoring_stays_behind(mask_path):
    results = MarkValid()(dict(img=_image(), seg_map_path=str(mask_path)))
    expected = _class_of(_image().transpose(2, 0, 1))
    assert np.array_equal(results['monitor_mask'], expected)
    assert results['seg_fields'] == ['gt_seg_map']
    assert results['gt_seg_map'][0, 0] == 256


def test_label_map_and_zero_label_are_obeyed(tmp_path):
    path = tmp_path / 'm.png'
    cv2.imwrite(str(path), np.array([[0, 1], [2, 1]], np.uint8))
    image = np.zeros((2, 2, 3), np.uint8)
    shifted = MarkValid()(
        dict(img=image, seg_map_path=str(path), reduce_zero_label=True)
    )
    assert shifted['monitor_mask'].tolist() == [[255, 0], [1, 0]]
    mapped = MarkValid()(
        dict(img=image, seg_map_path=str(path), label_map={1: 5})
    )
    assert mapped['monitor_mask'].tolist() == [[0, 5], [2, 5]]


def test_mask_of_another_size_is_an_error(mask_path):
    with pytest.raises(ValueError, match=r'mask\.png.*\(12, 12\).*\(5, 5\)'):
        MarkValid()(
            dict(
                img=np.zeros((5, 5, 3), np.uint8), seg_map_path=str(mask_path)
            )
        )
