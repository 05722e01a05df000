from argparse import ArgumentParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import DictAction

from rml_mmseg.experiments.suites.options import (
    cfg_options,
    check_filled,
    fill,
    flatten,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(['AdamW', 'a/b_c.py', 'students.0', '-', 'x=y'])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).flatmap(
        lambda items: st.sampled_from([items, tuple(items)])
    ),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(['a', 'b.c', 'd.0.e']), VALUES))
def test_mmengine_reads_the_same_values(options):
    try:
        words = cfg_options(options)
    except ValueError:
        # Only values that mmengine cannot read may be refused.
        assert any(
            isinstance(value, (list, tuple)) for value in options.values()
        )
        return
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction)
    read = parser.parse_args(['--cfg-options', *words]).cfg_options
    assert read == options


def test_words():
    options = {'a': [1, (2.5, 'x')], 'b.c': None, 'd': True}
    assert cfg_options(options) == ['a=[1,(2.5,x)]', 'b.c=None', 'd=True']


@pytest.mark.parametrize(
    'value', ['1', 'a,b', 'a b', 'True', ['(x'], {}, "'quoted'", [{}], ['']]
)
def test_values_that_would_change_are_refused(value):
    with pytest.raises(ValueError, match='option a.b=.*command line'):
        cfg_options({'a.b': value})


def test_flatten():
    nested = {'a': {'b': {'c': 1}, 'd.e': [{'x': 2}]}, 'f': {}}
    assert flatten(nested) == {'a.b.c': 1, 'a.d.e': [{'x': 2}], 'f': {}}


def test_fill():
    options = {'a': 'x/{split}_{seed}.txt', 'b': [1, ('{seed}', None)]}
    filled = {'a': 'x/1-8_3.txt', 'b': [1, ('3', None)]}
    assert fill(options, split='1-8', seed=3) == filled
    # Unknown placeholders may be filled later.
    assert fill({'a': '{cwd}/{seed}'}, seed=1) == {'a': '{cwd}/1'}
    check_filled(filled | {'c': 1, 'd': None, 'e': {}})


@pytest.mark.parametrize('value', ['x/{sede}', ['{}'], ('{sede}', 1)])
def test_words_that_stand_for_nothing_are_refused(value):
    with pytest.raises(ValueError, match=r'option a.b=.*\{(sede)?\} is unk'):
        check_filled({'a.b': value})
