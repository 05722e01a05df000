import numpy as np
import pytest
from mmseg.registry import TRANSFORMS
from PIL import Image

from rml_mmseg.datasets import CheckLabels


def _results(mask, size=(2, 3)):
    return dict(
        img=np.zeros((*size, 3), np.uint8),
        gt_seg_map=np.asarray(mask, np.uint8),
        seg_map_path='ann/7.png',
    )


def test_good_mask_passes_unchanged():
    mask = [[0, 1, 2], [255, 0, 2]]
    results = CheckLabels(3)(_results(mask))
    assert results['gt_seg_map'].tolist() == mask


def test_values_outside_of_the_classes_are_named():
    with pytest.raises(ValueError, match=r'ann/7\.png.*\[3, 254\].*0 to 2'):
        CheckLabels(3)(_results([[0, 3, 254], [3, 255, 1]]))


def test_another_ignore_index():
    transform = CheckLabels(2, ignore_index=7)
    transform(_results([[0, 1, 7], [0, 1, 7]]))
    with pytest.raises(ValueError, match=r'\[255\]'):
        transform(_results([[0, 1, 255], [0, 1, 7]]))


@pytest.mark.parametrize('shape', [(3, 2), (2, 3, 3), (2, 4)])
def test_mask_of_another_shape_is_an_error(shape):
    with pytest.raises(ValueError, match=r'one channel'):
        CheckLabels(3)(_results(np.zeros(shape)))


def test_registry_and_repr():
    transform = TRANSFORMS.build(dict(type='CheckLabels', num_classes=3))
    assert repr(transform) == 'CheckLabels(num_classes=3, ignore_index=255)'


@pytest.mark.parametrize(
    ('values', 'mode'),
    [
        (np.array([[0, 256]], np.uint16), 'I;16'),
        (np.array([[-1, 2]], np.int32), 'I'),
        (np.array([[0.5, 1]], np.float32), 'F'),
    ],
)
def test_values_that_do_not_fit_into_eight_bits(tmp_path, values, mode):
    path = tmp_path / 'a.tif'
    Image.fromarray(values).save(path)
    results = _results(np.zeros((1, 2)), size=(1, 2))
    results['seg_map_path'] = str(path)
    with pytest.raises(ValueError, match=f'a.tif.*mode {mode}.*0 to 255'):
        CheckLabels(3)(results)


def test_sixteen_bits_with_small_values_pass(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(np.array([[0, 2]], np.uint16)).save(path)
    results = _results([[0, 2]], size=(1, 2))
    results['seg_map_path'] = str(path)
    CheckLabels(3)(results)
