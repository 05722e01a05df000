import pytest
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from rml_mmseg.semi_config.schedules import student_optimizer, student_schedule


def stock(*schedulers):
    return Config(
        dict(train_cfg=dict(max_iters=1600), param_scheduler=schedulers)
    )


def test_schedule_is_stretched():
    cfg = stock(
        dict(type='LinearLR', begin=0, end=150, by_epoch=False),
        dict(type='PolyLR', begin=150, end=1600, by_epoch=False),
    )
    warm_up, poly = student_schedule(cfg, 400)
    assert (warm_up['begin'], warm_up['end']) == (0, 38)
    # The last one ends with the stage, however long that is.
    assert poly['begin'] == 38 and 'end' not in poly
    assert student_schedule(cfg, 1600)[0]['end'] == 150
    assert cfg.param_scheduler[1].end == 1600


def test_schedule_of_stages():
    """As in a baseline of this package, whose schedule covers one stage."""
    loop = dict(type='StagedTrainLoop', iters_per_stage=1600, stages=2)
    schedulers = [dict(type='PolyLR', begin=160, end=800, by_epoch=False)]
    cfg = Config(dict(train_cfg=loop, param_scheduler=schedulers))
    (poly,) = student_schedule(cfg, 400)
    assert (poly['begin'], poly['end']) == (40, 200)


def test_lengths_within_a_scheduler_are_stretched():
    cfg = stock(
        dict(type='MultiStepLR', milestones=[800, 1200], by_epoch=False),
        dict(type='CosineAnnealingLR', T_max=1600, by_epoch=False),
        dict(type='StepLR', step_size=1, by_epoch=False),
    )
    steps, cosine, step = student_schedule(cfg, 400)
    assert steps['milestones'] == [200, 300]
    assert cosine['T_max'] == 400
    assert step['step_size'] == 1


def test_no_scheduler_is_empty():
    cfg = stock(dict(type='LinearLR', begin=0, end=2, by_epoch=False))
    (scheduler,) = student_schedule(cfg, 8)
    assert (scheduler['begin'], scheduler['end']) == (0, 1)


def test_none():
    assert student_schedule(Config(dict(train_cfg=dict(max_iters=1))), 2) == []


@pytest.mark.parametrize('kind', ['OptimWrapper', OptimWrapper])
def test_default_type_is_left_to_all_students(kind):
    wrapper = dict(type=kind, optimizer=dict(type='SGD', lr=0.1))
    cfg = Config(dict(optim_wrapper=wrapper))
    assert student_optimizer(cfg) == dict(optimizer=wrapper['optimizer'])
    assert cfg.optim_wrapper.type == kind


def test_another_type_is_kept():
    wrapper = dict(type='AmpOptimWrapper', loss_scale=512.0)
    cfg = Config(dict(optim_wrapper=wrapper))
    assert student_optimizer(cfg) == wrapper
