"""What a network sees in a test, of pipelines with and without data."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from rml_mmseg.semi_config import deployed_size


def config(steps, data_root='nowhere', **settings):
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(data_root),
        img_suffix='.png',
        data_prefix=dict(img_path='images'),
        metainfo=dict(classes=('a', 'b')),
        pipeline=[
            dict(type='LoadImageFromFile'),
            *steps,
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    )
    model = dict(data_preprocessor=dict(size=(80, 112)))
    settings = dict(test_dataloader=dict(dataset=dataset)) | settings
    return Config(dict(model=model) | settings)


def resize(*scale, keep_ratio=False, **settings):
    return dict(type='Resize', scale=scale, keep_ratio=keep_ratio, **settings)


@pytest.mark.parametrize(
    ('steps', 'size', 'why'),
    [
        # Width comes first in a scale.
        ([resize(128, 96)], (96, 128), 'of test_dataloader'),
        ([dict(type='mmseg.Resize', scale=64)], (64, 64), 'of test_data'),
        ([], (80, 112), 'the training size'),
        ([dict(type='Resize', scale_factor=0.5)], (80, 112), 'no Resize'),
        ([resize(128, float('inf'))], (80, 112), 'no Resize to a fixed'),
        # Without data.
        (
            [resize(128, 96, keep_ratio=True)],
            (96, 128),
            'could not be read',
        ),
    ],
)
def test_size_of_a_pipeline(steps, size, why):
    found, told = deployed_size(config(steps))
    assert found == size
    assert why in told


def test_aspect_is_that_of_the_first_image(tmp_path):
    """20 x 30 pixels within 2048 x 512, long side by long side."""
    (tmp_path / 'images').mkdir()
    image = np.zeros((20, 30, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'images/a.png'), image)
    steps = [resize(2048, 512, keep_ratio=True)]
    size, why = deployed_size(config(steps, tmp_path))
    assert size == (512, 768)
    assert 'with keep_ratio, applied to its first image' in why
    # What comes after it counts.
    steps.append(dict(type='ResizeToMultiple', size_divisor=100))
    assert deployed_size(config(steps, tmp_path))[0] == (600, 800)


def test_validation_stands_in_for_a_test():
    loader = config([resize(128, 96)]).test_dataloader
    cfg = config([], test_dataloader=None, val_dataloader=loader)
    size, why = deployed_size(cfg)
    assert size == (96, 128)
    assert 'of val_dataloader' in why


def test_a_window_is_what_the_network_sees():
    cfg = config([resize(128, 96)])
    cfg.model.test_cfg = dict(mode='slide', crop_size=(48, 64))
    assert deployed_size(cfg)[0] == (48, 64)


def test_nothing_says_it():
    cfg = Config(dict(model=dict(data_preprocessor=dict())))
    assert deployed_size(cfg)[0] == (512, 512)
