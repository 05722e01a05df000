"""A wrong config fails before a run begins, with the setting's name."""

import sys

import pytest
from mmengine.config import Config
from mmengine.registry import Registry
from mmseg.registry import HOOKS

from rml_mmseg.engine.config_check import (
    check_config,
    check_schedules,
    unknown_settings_explained,
)
from rml_mmseg.engine.hooks import AtomicCheckpointHook, MutualEMAHook
from tests.toys import toy_model_cfg, toy_runner


def config(**changes):
    cfg = dict(
        model=toy_model_cfg(test_cfg=dict(score=['students.1'])),
        train_cfg=dict(type='StagedTrainLoop', iters_per_stage=4),
        val_evaluator=dict(type='LearnersIoUMetric', learners=['students.1']),
        custom_hooks=[dict(type='MutualEMAHook')],
        crop_size=(8, 8),
    )
    cfg.update(changes)
    return Config(cfg)


def test_a_good_config():
    check_config(config())
    for kind in ('mmseg.MutualEMAHook', MutualEMAHook):
        check_config(config(custom_hooks=[dict(type=kind)]))


@pytest.mark.parametrize('kind', ['InfiniteSampler', 'DefaultSampler'])
def test_stock_samplers_are_refused(kind):
    loader = dict(dataset=dict(type='SemiSegDataset'), sampler=dict(type=kind))
    with pytest.raises(ValueError, match=f'sampler is {kind}.*SemiSegSampler'):
        check_config(config(train_dataloader=loader))
    loader['sampler'] = dict(type='SemiSegSampler')
    check_config(config(train_dataloader=loader))
    plain = dict(dataset=dict(type='CamVidDataset'), sampler=dict(type=kind))
    check_config(config(train_dataloader=plain))


def test_hooks_that_move_teachers():
    class Own(MutualEMAHook):
        """One of the user's."""

    HOOKS.register_module('OwnEMAHook', module=Own, force=True)
    hook = dict(type='MutualEMAHook')
    for hooks in ([dict(type='OwnEMAHook')], [Own()]):
        check_config(config(custom_hooks=hooks))
    default = dict(ema=hook, timer=None)
    check_config(config(custom_hooks=[], default_hooks=default))
    for changes in (
        dict(custom_hooks=[hook, hook]),
        dict(custom_hooks=[dict(type='OwnEMAHook')], default_hooks=default),
    ):
        with pytest.raises(ValueError, match='more than once.*keep one'):
            check_config(config(**changes))


def test_a_misspelt_setting_beside_the_right_one(monkeypatch):
    """As `--cfg-options train_confg.x=1` makes it, or a config's variable."""
    told = []
    monkeypatch.setattr(
        'rml_mmseg.engine.config_check.print_log',
        lambda text, **_: told.append(text),
    )
    check_config(config(train_confg=dict(x=1)))
    assert len(told) == 1
    assert "sets 'train_confg'" in told[0] and "'train_cfg'?" in told[0]


def test_a_scope_hides_no_fault():
    model = dict(toy_model_cfg(), type='mmseg.MutualSemiSegmentor')
    with pytest.raises(ValueError, match='MutualEMAHook'):
        check_config(config(model=model, custom_hooks=[]))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(custom_hook=[]), "'custom_hook'.*did you mean"),
        (dict(train_dataloaders={}), "did you mean 'train_dataloader'"),
        (dict(custom_hooks=[]), r'custom_hooks has \[\].*MutualEMAHook'),
        (
            dict(custom_hooks=[dict(type='EMAHook')]),
            r"custom_hooks has \['EMAHook'\].*MutualEMAHook",
        ),
        (
            dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3)),
            "train_cfg=.*counts epochs.*'StagedTrainLoop'",
        ),
        (
            dict(train_cfg=dict(by_epoch=True, max_epochs=3)),
            'counts epochs',
        ),
        (
            dict(val_evaluator=dict(learners=['student.1'])),
            r"val_evaluator.learners='student.1'.*did you mean 'students",
        ),
        (
            dict(val_evaluator=[dict(learners=['teachers.1'])]),
            r"'teachers.1'.*model.test_cfg.score, which is \['students.1'\]",
        ),
        (
            dict(val_evaluator=dict(learners='students.1')),
            "learners must be a list of names, got 'students.1'",
        ),
        (dict(model=[1]), r'model must be a dict, got \[1\]'),
        (dict(runner_type='FlexibleRunner'), 'FSDP and DeepSpeed.*DDP'),
    ],
)
def test_faults(changes, message):
    cfg = config(**changes)
    if 'custom_hook' in changes:
        cfg.pop('custom_hooks')
    with pytest.raises(ValueError, match=message):
        check_config(cfg)


def test_variables_of_the_user_are_left_alone():
    check_config(config(models=3, trained=1, val_dataset={}))


def test_plain_models_train_by_epochs():
    check_config(
        Config(
            dict(
                model=dict(type='EncoderDecoder'),
                train_cfg=dict(by_epoch=True, max_epochs=3),
            )
        )
    )


@pytest.mark.parametrize(
    'schedulers',
    [
        dict(type='PolyLR'),
        [dict(type='PolyLR', by_epoch=True)],
        {
            'students.0': [dict(type='PolyLR', by_epoch=False)],
            'students.1': [dict(type='PolyLR')],
        },
    ],
)
def test_schedules_by_epoch_are_refused(tmp_path, schedulers):
    message = 'PolyLR with by_epoch=True.*by_epoch=False'
    with pytest.raises(ValueError, match=message):
        check_schedules(schedulers, 10)
    if isinstance(schedulers, list):
        with pytest.raises(ValueError, match=message):
            toy_runner(tmp_path, param_scheduler=schedulers).train()


def test_schedules_beyond_a_stage_are_told(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'rml_mmseg.engine.config_check.print_log',
        lambda text, **kwargs: lines.append(text),
    )
    inside = dict(type='PolyLR', by_epoch=False, end=10)
    check_schedules(inside, 10)
    assert lines == []
    check_schedules(inside, 9)
    assert 'PolyLR' in lines[0] and 'iters_per_stage=9' in lines[0]


def test_unknown_setting_of_a_component():
    registry = Registry('of this test')

    @registry.register_module()
    class Thing:
        def __init__(self, interval=1):
            """A component."""

    with (
        pytest.raises(
            TypeError,
            match="Thing has no setting 'intervals'; did you mean 'interval'",
        ),
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Thing', intervals=2))


def test_what_a_class_hands_on_to_its_base_is_known():
    registry = Registry('thing')

    class Base:
        def __init__(self, power=1, **kwargs):
            """Take what a scheduler takes."""

    @registry.register_module()
    class Child(Base):
        def __init__(self, optimizer, *args, **kwargs):
            super().__init__(*args, **kwargs)
            if kwargs.get('powers'):
                raise TypeError("got an unexpected keyword argument 'powers'")

    with (
        pytest.raises(
            TypeError,
            match=r"did you mean 'power'\? Known: \['optimizer', 'power'\]",
        ),
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Child', optimizer=None, powers=2))


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason='errors name no class before 3.10'
)
def test_another_class_is_not_blamed():
    """As of a loop that builds a DataLoader from a config."""
    registry = Registry('loop')

    class Loader:
        def __init__(self, batch_size=1):
            """What the loop builds."""

    @registry.register_module()
    class Loop:
        def __init__(self, loader):
            Loader(**loader)

    with (
        pytest.raises(TypeError, match="Loader.__init__.* 'batchsize'"),
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Loop', loader=dict(batchsize=2)))


def test_other_errors_stay_as_they_are():
    with (
        pytest.raises(TypeError, match='^can only concatenate'),
        unknown_settings_explained(),
    ):
        _ = [] + ()


def test_unknown_setting_of_the_checkpoints():
    with pytest.raises(ValueError, match="'intervals'.*'interval'"):
        AtomicCheckpointHook(intervals=3)
