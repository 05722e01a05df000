"""Schedules that a stage does not step are refused or told."""

import pytest

from rml_mmseg.engine.loops.stage_schedules import check_schedules
from tests.toys import toy_runner


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
    """As of a quick try with fewer iterations."""
    schedulers = [
        dict(type='LinearLR', by_epoch=False, start_factor=0.1, end=1500),
        dict(type='PolyLR', by_epoch=False, begin=1500, **end),
    ]
    message = 'PolyLR of param_scheduler goes from iteration 1500 to 20, with'
    with pytest.raises(ValueError, match=message):
        check_schedules(schedulers, 20)
