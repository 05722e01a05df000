"""Schedules that a stage does not step are refused or told."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import Hook

from rml_mmseg.engine.loops.stage_schedules import (
    check_optimizers,
    check_schedules,
)
from tests.toys import toy_mutual, toy_runner, val_settings


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


def test_a_schedule_by_scores_steps_with_each_validation(tmp_path):
    plateau = dict(
        type='ReduceOnPlateauLR', monitor='mIoU', factor=0.5, patience=0
    )
    rates = []

    class Note(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            rates.append(runner.optim_wrapper.get_lr()['students.0.lr'][0])

    toy_runner(
        tmp_path,
        [Note()],
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=3, stages=2, val_interval=1
        ),
        # With this threshold no score counts as better.
        param_scheduler=[dict(plateau, rule='greater', threshold=1e9)],
        default_hooks=dict(logger=None, checkpoint=None, timer=None),
        **val_settings(tmp_path),
    ).train()
    assert rates == [0.1, 0.1, 0.05] * 2


OWN = dict(constructor='MutualOptimWrapperConstructor')
ONE = dict(optimizer=dict(type='SGD', lr=0.1))


@pytest.mark.parametrize(
    ('keys', 'wrapper', 'message'),
    [
        ('0', OWN, r"no entry for \['students.1'\]"),
        ('012', OWN, "a key of param_scheduler='students.2' is unknown"),
        ('01', ONE, "dict of .*only one optimiser.*constructor='Mutual"),
    ],
)
def test_schedules_of_other_optimisers(tmp_path, keys, wrapper, message):
    linear = dict(type='LinearLR', by_epoch=False)
    schedulers = {f'students.{key}': [linear] for key in keys}
    runner = toy_runner(
        tmp_path, param_scheduler=schedulers, optim_wrapper={**ONE, **wrapper}
    )
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_a_schedule_for_each_optimiser():
    schedulers = {'students.0': [], 'students.1': []}
    runner = SimpleNamespace(model=toy_mutual(), param_schedulers=schedulers)
    for wrapper in ({**ONE, **OWN}, dict(ONE, constructor='Mine')):
        runner.optim_wrapper = wrapper
        check_optimizers(runner)


def test_schedules_beyond_a_stage_are_told(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'rml_mmseg.engine.loops.stage_schedules.print_log',
        lambda text, **kwargs: lines.append(text),
    )
    inside = dict(type='PolyLR', by_epoch=False, end=10)
    check_schedules(inside, 10)
    assert lines == []
    check_schedules(inside, 9)
    assert 'PolyLR' in lines[0] and 'iters_per_stage=9' in lines[0]


@pytest.mark.parametrize('end', [{}, dict(end=20)])
def test_a_warm_up_longer_than_the_stage(tmp_path, end):
    """As in a quick try with fewer iterations."""
    schedulers = [
        dict(type='LinearLR', by_epoch=False, start_factor=0.1, end=1500),
        dict(type='PolyLR', by_epoch=False, begin=1500, **end),
    ]
    message = 'PolyLR of param_scheduler runs from iteration 1500 to 20, but'
    with pytest.raises(ValueError, match=message):
        check_schedules(schedulers, 20)
