import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

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
