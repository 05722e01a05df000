import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rml_mmseg.models.utils.semi_train_cfg import SemiTrainCfg


def test_defaults_are_the_paper_s():
    cfg = SemiTrainCfg.build(None, 2)
    assert (cfg.unsup_weight, cfg.self_weight, cfg.peer_weight) == (1, 1, 1)
    assert (cfg.peer_source, cfg.p0) == ('teacher', 'online')
    assert cfg.confidence is cfg.confidence_share is None
    assert (cfg.self_source, cfg.strong_views) == ('teacher', 1)
    assert cfg.complementary_dropout == 0
    assert cfg.feature_dropout == 0
    assert cfg.ensemble_p0 is False
    assert cfg.ramp_up_iters == 0


@pytest.mark.parametrize(
    ('key', 'hint'),
    [('unsup_wieght', 'unsup_weight'), ('confidense', 'confidence')],
)
def test_unknown_setting_is_an_error_with_a_hint(key, hint):
    with pytest.raises(ValueError, match=f"{key}.*did you mean '{hint}'"):
        SemiTrainCfg.build({key: 1}, 2)


@pytest.mark.parametrize(
    ('setting', 'value'),
    [
        ('unsup_weight', -1),
        ('self_weight', math.nan),
        ('peer_weight', math.inf),
        ('peer_source', 'teachers'),
        ('p0', 'offline'),
        ('p0', None),
        ('self_source', 'teachers'),
        ('confidence', 1.0),
        ('confidence', -0.5),
        ('confidence_share', 1.0),
        ('strong_views', 0),
        ('complementary_dropout', 1.5),
        ('feature_dropout', 1.0),
        ('feature_dropout', -0.5),
        ('feature_weight', -1),
        ('ramp_up_iters', -3),
    ],
)
def test_value_out_of_range_is_an_error(setting, value):
    with pytest.raises(ValueError, match=f'semi_train_cfg.{setting}.*{value}'):
        SemiTrainCfg.build({setting: value}, 2)


@pytest.mark.parametrize('views', [1, 3])
def test_channels_are_divided_between_two_views(views):
    cfg = dict(complementary_dropout=0.5, strong_views=views)
    with pytest.raises(ValueError, match=f'strong_views=2 .found {views}.'):
        SemiTrainCfg.build(cfg, 1)
    SemiTrainCfg.build({**cfg, 'strong_views': 2}, 1)


@pytest.mark.parametrize(
    ('cfg', 'learners'),
    [
        (dict(self_weight=0), 1),
        (dict(self_weight=0, peer_weight=1), 1),
        (dict(self_weight=0, peer_weight=0), 2),
    ],
)
def test_unlabelled_images_without_labels_are_an_error(cfg, learners):
    with pytest.raises(ValueError, match='no labels.*self_weight'):
        SemiTrainCfg.build(cfg, learners)


@pytest.mark.parametrize(
    ('cfg', 'learners'),
    [
        (dict(self_weight=0), 2),
        (dict(peer_weight=0), 1),
        (dict(self_weight=0, peer_weight=0, unsup_weight=0), 1),
        (dict(confidence=0.0), 1),
        (dict(confidence=0.95), 2),
        (dict(p0='stage', peer_source='student'), 2),
        (dict(p0='stage', ensemble_p0=True), 2),
    ],
)
def test_settings_that_make_sense_pass(cfg, learners):
    built = SemiTrainCfg.build(cfg, learners)
    assert all(getattr(built, key) == value for key, value in cfg.items())


def test_an_ensemble_of_one_is_an_error():
    with pytest.raises(ValueError, match='ensemble_p0=True needs two'):
        SemiTrainCfg.build(dict(ensemble_p0=True), 1)


def test_ramp_up_by_hand():
    cfg = SemiTrainCfg.build(dict(unsup_weight=2.0, ramp_up_iters=10), 2)
    assert cfg.weight_at(0) == pytest.approx(2 * math.exp(-5))
    assert cfg.weight_at(5) == pytest.approx(2 * math.exp(-1.25))
    assert cfg.weight_at(9) == pytest.approx(2 * math.exp(-0.05))
    assert cfg.weight_at(10) == 2.0
    assert cfg.weight_at(10_000) == 2.0
    assert SemiTrainCfg.build(None, 2).weight_at(0) == 1.0


@given(
    length=st.integers(1, 500),
    weight=st.floats(0.01, 10),
    iteration=st.integers(0, 600),
)
def test_ramp_up_never_falls_and_never_exceeds(length, weight, iteration):
    cfg = SemiTrainCfg.build(
        dict(unsup_weight=weight, ramp_up_iters=length), 1
    )
    now, then = cfg.weight_at(iteration), cfg.weight_at(iteration + 1)
    assert 0 < now <= then <= weight


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        SemiTrainCfg.build(None, 2).p0 = 'stage'


def test_config_is_left_alone():
    cfg = dict(self_weight=0.5)
    SemiTrainCfg.build(cfg, 2)
    assert cfg == dict(self_weight=0.5)


@pytest.mark.parametrize(
    ('setting', 'value', 'wanted'),
    [
        ('unsup_weight', None, 'a number in [0, inf)'),
        ('self_weight', '0.5', 'a number in [0, inf)'),
        ('peer_weight', True, 'a number in [0, inf)'),
        ('peer_weight', float('nan'), 'a number in [0, inf)'),
        ('confidence', 'high', 'a number in [0, 1)'),
        ('confidence_share', 'high', 'a number in [0, 1)'),
        ('feature_dropout', None, 'a number in [0, 1)'),
        ('strong_views', 1.5, 'a whole number of 1 or more'),
        ('strong_views', 2.0, 'a whole number of 1 or more'),
        ('strong_views', True, 'a whole number of 1 or more'),
        ('ramp_up_iters', 1.5, 'a whole number of 0 or more'),
        ('ramp_up_iters', 2.0, 'a whole number of 0 or more'),
        ('joint_forward', 1, 'True or False'),
        (
            'loss',
            'PseudoLabelLoss',
            'a config, or a list with one for each learner',
        ),
    ],
)
def test_other_types_are_named(setting, value, wanted):
    message = f'semi_train_cfg.{setting} must be {wanted}, got {value!r}'
    with pytest.raises(ValueError, match=re.escape(message)):
        SemiTrainCfg.build({setting: value}, 2)
