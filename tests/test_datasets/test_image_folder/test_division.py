import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rml_mmseg.datasets.image_folder.division import choose_val

NAMES = [f'{number:02}' for number in range(10)]


@given(st.integers(0, 1000))
def test_training_keeps_an_image_of_every_class(seed):
    shown = {name: {0} for name in NAMES}
    shown['03'] = {0, 1}
    shown['07'] = {2}
    generator = np.random.default_rng(seed)
    val = choose_val(NAMES, 0.4, generator, shown)
    assert len(val) == 4 and val == sorted(set(val))
    kept = set().union(*(shown[n] for n in NAMES if n not in val))
    assert kept == {0, 1, 2}


def test_one_image_at_least_unless_none_is_wanted():
    generator = np.random.default_rng(0)
    assert len(choose_val(NAMES, 0.01, generator)) == 1
    assert choose_val(NAMES, 0, generator) == []


def test_none_left_for_training():
    with pytest.raises(ValueError, match='takes 1 of 1 labelled images'):
        choose_val(['a'], 0.2, np.random.default_rng(0))
