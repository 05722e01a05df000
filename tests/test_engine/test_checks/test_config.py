"""A wrong config fails before a run begins, with the setting's name."""

import pytest
from mmengine.config import Config
from mmseg.registry import HOOKS

from rml_mmseg.engine.checks.config import check_config, check_options
from rml_mmseg.engine.hooks import MutualEMAHook
from tests.toys import toy_model_cfg


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


def test_hooks_that_move_teachers():
    class Own(MutualEMAHook):
        """A hook of the user."""

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
    """`--cfg-options train_confg.x=1` makes one, or a config's variable."""
    told = []
    monkeypatch.setattr(
        'rml_mmseg.engine.checks.config.print_log',
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
        (dict(find_unused_paramters=True), "mean 'find_unused_parameters'"),
        (dict(sync_bnn='torch'), "did you mean 'sync_bn'"),
        (dict(model_wraper_cfg={}), "did you mean 'model_wrapper_cfg'"),
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
        (
            dict(lr_config=dict(policy='poly')),
            "'lr_config', a setting of mmseg 0.x. In mmseg 1.x use param_sche",
        ),
        (
            dict(evaluation=dict(interval=1)),
            "'evaluation'.*train_cfg.val_interval and val_evaluator",
        ),
        (dict(model=[1]), r'model must be a dict, got \[1\]'),
        (dict(runner_type='FlexibleRunner'), 'FSDP and DeepSpeed.*DDP'),
        (
            dict(model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')),
            'model_wrapper_cfg.type=.*FSDP and DeepSpeed.*DDP',
        ),
        (
            dict(optim_wrapper=dict(optimizer=dict(type='AdamZ'))),
            r"optim_wrapper.optimizer.type='AdamZ' is unknown; did you mean",
        ),
        (
            dict(
                optim_wrapper=dict(students=[{}, dict(optimizer=dict(lr=1))])
            ),
            r'students\[1\].optimizer.type=None is unknown',
        ),
        (dict(randomness=dict(seed=-1)), 'randomness.seed must be .* got -1'),
        (dict(randomness=dict(seed='abc')), "randomness.seed .* got 'abc'"),
    ],
)
def test_faults(changes, message):
    cfg = config(**changes)
    if 'custom_hook' in changes:
        cfg.pop('custom_hooks')
    with pytest.raises(ValueError, match=message):
        check_config(cfg)


def test_a_restart_is_not_within_a_step():
    def cfg(**train_cfg):
        loop = dict(type='StagedTrainLoop', **train_cfg)
        wrapper = dict(accumulative_counts=2)
        return config(train_cfg=loop, optim_wrapper=wrapper)

    check_config(cfg(iters_per_stage=5))
    check_config(cfg(iters_per_stage=4, restart_students=True))
    with pytest.raises(ValueError, match='=5 must be a multiple of.*=2'):
        check_config(cfg(iters_per_stage=5, restart_students=True))


def test_a_restart_is_not_within_a_step_of_one_student():
    wrapper = dict(students=[{}, dict(accumulative_counts=2)])
    loop = dict(type='StagedTrainLoop', restart_students=True)
    whole = config(
        train_cfg=dict(loop, iters_per_stage=4), optim_wrapper=wrapper
    )
    check_config(whole)
    cut = config(
        train_cfg=dict(loop, iters_per_stage=3), optim_wrapper=wrapper
    )
    with pytest.raises(ValueError, match=r'students\[1\].accumulat.*=2'):
        check_config(cut)


def test_variables_of_the_user_are_left_alone():
    check_config(config(models=3, trained=1, val_dataset={}))
    check_config(config(test_pipeline=[], tta_pipeline=[]))
    check_config(config(test_pipeline=[]))


@pytest.mark.parametrize(
    ('option', 'hint'),
    [
        ('modle.test_cfg.mode', "did you mean 'model'"),
        ('crop_size', "'crop_size' is only a variable of the config"),
        ('xyz', "has a setting 'xyz'$"),
    ],
)
def test_overrides_that_nothing_reads(option, hint):
    with pytest.raises(ValueError, match=f'sets {option!r}.*{hint}'):
        check_options(config(), [option])


def test_overrides_of_what_the_config_or_mmengine_has():
    options = ['model.test_cfg.mode', 'randomness.seed', 'resume', 'sync_bn']
    check_options(config(), options)
    read = ['activation_checkpointing', 'efficient_conv_bn_eval']
    check_options(config(), read)


def test_plain_models_train_by_epochs():
    check_config(
        Config(
            dict(
                model=dict(type='EncoderDecoder'),
                train_cfg=dict(by_epoch=True, max_epochs=3),
            )
        )
    )
