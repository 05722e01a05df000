"""Settings of two configs are compared by what they say."""

import pytest
from mmengine.config import Config

from rml_mmseg.engine.changed_settings import (
    ABSENT,
    changed_settings,
    read_settings,
)

CONFIG = dict(
    model=dict(
        type='MutualSemiSegmentor',
        segmentors=[dict(depth=18), dict(depth=34, init_cfg=dict(a=1))],
        crop=(8, 10),
        by_class={0: 1.5, 'sky': None},
    ),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3)),
    train_cfg=dict(stages=2, val_interval=10),
    work_dir='here',
)


def changes(**now):
    return changed_settings(CONFIG, CONFIG | now)


def test_the_text_of_a_config_is_read_back():
    read = read_settings(Config(CONFIG).pretty_text)
    assert not changed_settings(read, CONFIG)
    assert read['model']['by_class'] == {0: 1.5, 'sky': None}


def test_what_is_more_than_data_is_left_out():
    text = "model = open('x', 'w')\ntrain_cfg = dict(stages=2)\na.b = 1"
    assert read_settings(text) == dict(train_cfg=dict(stages=2))
    assert read_settings('no config') == {}


@pytest.mark.parametrize(
    ('now', 'expected'),
    [
        (dict(work_dir='there'), {}),
        (dict(train_cfg=dict(stages=2, val_interval=5)), {}),
        (dict(model=CONFIG['model'] | dict(type='a.MutualSemiSegmentor')), {}),
        (dict(train_cfg=dict(stages=4)), {'train_cfg.stages': (2, 4)}),
        (dict(train_cfg={}), {'train_cfg.stages': (2, ABSENT)}),
        (
            dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0))),
            {'optim_wrapper.optimizer.lr': (1e-3, 1.0)},
        ),
        (
            dict(model=CONFIG['model'] | dict(crop=[8, 12])),
            {'model.crop': ([8, 10], [8, 12])},
        ),
        (
            dict(
                model=CONFIG['model']
                | dict(segmentors=[dict(depth=18), dict(depth=50)])
            ),
            {'model.segmentors.1.depth': (34, 50)},
        ),
    ],
)
def test_changes(now, expected):
    assert changes(**now) == expected
