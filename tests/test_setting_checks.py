import re

import pytest

from rml_mmseg.datasets import (
    PhotometricRandAugment,
    SemiSegDataset,
    WeakStrongViews,
)
from rml_mmseg.engine import (
    AtomicCheckpointHook,
    InterruptionHook,
    MutualEMAHook,
    SemiSegVisualizationHook,
    StagedTrainLoop,
)
from rml_mmseg.engine.checks.config import check_checkpoint_hooks
from rml_mmseg.setting_checks import (
    check_choice,
    check_count,
    check_flag,
    check_known,
    check_number,
    did_you_mean,
    is_number,
    list_of_names,
)


def test_check_choice():
    check_choice('x', 'a', ['a', 'b'])
    with pytest.raises(
        ValueError, match=r"x='teacher.0'.*'teachers.0'.*Known"
    ):
        check_choice('x', 'teacher.0', ['students.0', 'teachers.0'])
    with pytest.raises(ValueError, match=r"x=3 is unknown. Known: \['a'\]"):
        check_choice('x', 3, ['a'])


def test_did_you_mean():
    assert did_you_mean('selfweight', ['self_weight']) == (
        "; did you mean 'self_weight'?"
    )
    assert did_you_mean('zzz', ['self_weight']) == ''


def test_check_known():
    check_known('x', ['a'], ['a', 'bcd'])
    with pytest.raises(ValueError, match="x has no .*'bc'; .*'bcd'. Known"):
        check_known('x', ['a', 'bc'], ['a', 'bcd'])


@pytest.mark.parametrize(
    ('interval', 'inside', 'outside'),
    [
        ('[0, 1]', [0, 0.5, 1], [-1e-9, 1.1, True, '0', None]),
        ('(0, 1)', [0.5], [0, 1, float('nan')]),
        ('[0, inf)', [0, 1e9], [-1, float('inf')]),
    ],
)
def test_check_number(interval, inside, outside):
    for value in inside:
        check_number('x', value, interval)
    for value in outside:
        message = f'x must be a number in {interval}, got {value!r}'
        with pytest.raises(ValueError, match=re.escape(message)):
            check_number('x', value, interval)


@pytest.mark.parametrize('value', ['maybe', 'True', 0, 1, None])
def test_check_flag(value):
    check_flag('x', False)
    with pytest.raises(ValueError, match='x must be True or False, got'):
        check_flag('x', value)


@pytest.mark.parametrize('value', [0, 1.0, True, '1', None])
def test_check_count(value):
    check_count('x', 1, 1)
    with pytest.raises(
        ValueError,
        match=f'x must be a whole number of 1 or more, got {value!r}',
    ):
        check_count('x', value, 1)


def test_list_of_names():
    assert list_of_names('x', ('a', 'b')) == ['a', 'b']
    with pytest.raises(ValueError, match="x must be a list of names, got 'a'"):
        list_of_names('x', 'a')


def test_is_number():
    assert is_number(0) and is_number(-1.5)
    for value in (True, '1', None, float('nan'), float('inf')):
        assert not is_number(value)


@pytest.mark.parametrize(
    ('build', 'setting', 'value'),
    [
        (PhotometricRandAugment, 'num_policies', 'two'),
        (PhotometricRandAugment, 'num_policies', 0),
        (PhotometricRandAugment, 'magnitude_level', 'strong'),
        (PhotometricRandAugment, 'magnitude_level', 11),
        (PhotometricRandAugment, 'magnitude_std', 'wide'),
        (PhotometricRandAugment, 'total_level', 0),
        (PhotometricRandAugment, 'prob', 2),
        (WeakStrongViews, 'num_strong', 1.5),
        (MutualEMAHook, 'warm_up', 'maybe'),
        (InterruptionHook, 'exit_code', 'x'),
        (InterruptionHook, 'exit_code', 1.5),
        (SemiSegVisualizationHook, 'interval', '5'),
        (lambda **x: SemiSegDataset({}, {}, **x), 'allow_overlap', 'maybe'),
        (lambda **x: SemiSegDataset({}, {}, **x), 'max_unreadable', 'few'),
        (lambda **x: StagedTrainLoop(None, {}, 9, **x), 'initialise', 'no'),
        (lambda **x: StagedTrainLoop(None, {}, 9, **x), 'restart_students', 1),
        (
            lambda **x: check_checkpoint_hooks(
                [AtomicCheckpointHook(by_epoch=False, **x)]
            ),
            'interval',
            '5',
        ),
    ],
)
def test_a_wrong_value_is_named_when_a_part_is_built(build, setting, value):
    with pytest.raises(ValueError, match=rf'\.{setting}.*{value!r}'):
        build(**{setting: value})
