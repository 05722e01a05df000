import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rml_mmseg.datasets.image_folder.division import (
    check_groups,
    choose_held_out,
    shared_images,
)
from rml_mmseg.datasets.image_folder.folder_item import FolderItem
from rml_mmseg.datasets.image_folder.item_report import inspect_item
from rml_mmseg.datasets.name_groups import group_names

NAMES = [f'{number:02}' for number in range(10)]


@given(st.integers(0, 1000))
def test_training_keeps_an_image_of_every_class(seed):
    shown = {name: {0} for name in NAMES}
    shown['03'] = {0, 1}
    shown['07'] = {2}
    generator = np.random.default_rng(seed)
    val = choose_held_out('val', NAMES, 0.4, generator, shown)
    assert len(val) == 4 and val == sorted(set(val))
    kept = set().union(*(shown[n] for n in NAMES if n not in val))
    assert kept == {0, 1, 2}


def test_one_image_at_least_unless_none_is_wanted():
    generator = np.random.default_rng(0)
    assert len(choose_held_out('val', NAMES, 0.01, generator)) == 1
    assert choose_held_out('val', NAMES, 0, generator) == []


def test_none_left_for_training():
    with pytest.raises(ValueError, match='val takes 1 of 1 labelled images'):
        choose_held_out('val', ['a'], 0.2, np.random.default_rng(0))


SLICES = [f'p{p}/{slice:02}' for p in range(6) for slice in range(p + 1)]
PATIENTS = group_names(SLICES, '^[^/]+')


@given(st.integers(0, 1000), st.floats(0.01, 0.5))
def test_a_group_is_on_one_side(seed, fraction):
    generator = np.random.default_rng(seed)
    val = choose_held_out('val', SLICES, fraction, generator, groups=PATIENTS)
    check_groups('val', SLICES, val, PATIENTS)
    sizes = {p: [*PATIENTS.values()].count(p) for p in PATIENTS.values()}
    held = {PATIENTS[name] for name in val}
    assert len(val) == sum(sizes[p] for p in held)
    wanted = max(round(fraction * len(SLICES)), 1)
    assert 0 < len(val) < 2 * wanted


def test_training_keeps_a_group_of_every_class():
    shown = {name: {0} for name in SLICES} | {'p4/03': {1}, 'p2/00': {2}}
    for seed in range(20):
        generator = np.random.default_rng(seed)
        val = choose_held_out('val', SLICES, 0.3, generator, shown, PATIENTS)
        assert not {'p4/03', 'p2/00'} & {*val}


@pytest.mark.parametrize('seed', range(10))
def test_a_large_group_stays_in_training(seed):
    names = [f'{g}/{i}' for g, n in zip('abc', (80, 10, 10)) for i in range(n)]
    groups = group_names(names, '^.')
    generator = np.random.default_rng(seed)
    assert (
        len(choose_held_out('val', names, 0.2, generator, groups=groups)) == 20
    )
    # If all groups are larger than the fraction, the smallest is taken.
    val = choose_held_out('val', names, 0.02, generator, groups=groups)
    assert len(val) == 10


def test_one_group_cannot_be_divided():
    groups = dict.fromkeys(NAMES, 'a')
    with pytest.raises(ValueError, match='--group gives 1 group.*--val-list'):
        choose_held_out(
            'val', NAMES, 0.2, np.random.default_rng(0), groups=groups
        )


def test_a_list_that_divides_a_group_is_refused():
    with pytest.raises(ValueError, match="'p3'.*'p3/01', but not 'p3/00'"):
        check_groups('val', SLICES, ['p3/01'], PATIENTS)


def test_one_picture_in_files_of_other_compression(tmp_path):
    picture = Image.linear_gradient('L')
    for level, name in enumerate('abc'):
        path = tmp_path / f'{name}.png'
        picture.save(path, compress_level=level)
        picture = picture.rotate(level * 90)
    files = {name: tmp_path / f'{name}.png' for name in 'abc'}
    assert files['a'].read_bytes() != files['b'].read_bytes()
    reports = {
        name: inspect_item(FolderItem(name, path, False))
        for name, path in files.items()
    }
    splits = dict(labelled=['a'], val=['b'], test=['c'])
    assert shared_images(splits, reports) == ['b (val) = a']
