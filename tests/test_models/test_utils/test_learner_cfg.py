"""Settings of an entry of ``model.segmentors``."""

import pytest

from rml_mmseg.models.utils.learner_cfg import check_normalisation

SHARED = dict(mean=(123.5, 116, 103), std=[58.0] * 3, bgr_to_rgb=True)


@pytest.mark.parametrize(
    'own',
    [
        None,
        dict(type='SegDataPreProcessor', size=(8, 8)),
        dict(mean=[123.5, 116.0, 103.0], std=(58, 58, 58), bgr_to_rgb=True),
        dict(rgb_to_bgr=False),
    ],
)
def test_the_same_images_or_nothing(own):
    check_normalisation([{}, dict(data_preprocessor=own)], SHARED)


@pytest.mark.parametrize(
    ('own', 'shared', 'name'),
    [
        (dict(mean=[0.0] * 3), SHARED, r'mean=\[0'),
        (dict(SHARED, bgr_to_rgb=False), SHARED, 'bgr_to_rgb=False'),
        (dict(std=[1.0] * 3), None, r'std=\[1'),
    ],
)
def test_other_images_are_refused(own, shared, name):
    message = r'segmentors\[1\].data_preprocessor.' + name
    with pytest.raises(ValueError, match=message):
        check_normalisation([{}, dict(data_preprocessor=own)], shared)
