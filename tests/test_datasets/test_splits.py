import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rml_mmseg.datasets import published_splits, split_readers, splits

ROOT = Path(__file__).resolve().parents[2]


CONFIG_SPLITS = ROOT / 'configs' / '_base_' / 'datasets' / 'splits'


NAMES = [f'frame_{index:03d}' for index in range(20)]


@pytest.mark.parametrize(
    ('total', 'ratio', 'count'),
    [
        (367, '1/30', 12),
        (367, '1/8', 46),
        (367, '1/4', 92),
        (2975, '1/8', 372),
        (2975, '1/4', 744),
        (10582, '1/100', 106),
        (10582, '1/50', 212),
        (10582, '1/20', 529),
        (10582, '1/8', 1323),
        (10, '1/4', 3),  # 2.5, which Python's round would make 2
        (100, 0.125, 13),
    ],
)
def test_labelled_count_rounds_half_up(total, ratio, count):
    assert splits.labelled_count(total, ratio) == count


@pytest.mark.parametrize('ratio', ['1/0', 'eighth', '9/8', '0', '-1/2'])
def test_labelled_count_refuses_what_is_no_share(ratio):
    with pytest.raises(ValueError, match='ratio'):
        splits.labelled_count(100, ratio)


def test_labelled_count_refuses_an_empty_side():
    with pytest.raises(ValueError, match='labels 0 of them'):
        splits.labelled_count(10, '1/100')


def test_seeded_order_is_the_recorded_permutation():
    # numpy.random.RandomState(12345).permutation(2975), without the names.
    digits = [f'{index:04d}' for index in range(2975)]
    order = splits.seeded_order(reversed(digits), 12345)
    assert order[:4] == ['1687', '2342', '0392', '1338']
    assert splits.names_md5(order) == '7e80f7156c29'


@given(
    seed=st.integers(0, 2**32 - 1),
    small=st.integers(1, 18),
    more=st.integers(0, 18),
)
def test_splits_of_one_seed_are_nested_and_complete(seed, small, more):
    order = splits.seeded_order(NAMES, seed)
    large = min(small + more, 19)
    first = splits.split_order(order, small)
    second = splits.split_order(order, large)
    assert second['labelled'][:small] == first['labelled']
    assert sorted(first['labelled'] + first['unlabelled']) == NAMES
    everything = splits.split_order(order, small, include_labelled=True)
    assert sorted(everything['unlabelled']) == NAMES


def test_held_out_names_are_the_last_and_in_no_other_list():
    assert splits.split_order('abcdef', 2, held_out=3) == {
        'labelled': ['a', 'b'],
        'unlabelled': ['c'],
        'held_out': ['d', 'e', 'f'],
    }
    everything = splits.split_order('abcdef', 2, True, held_out=3)
    assert everything['unlabelled'] == ['a', 'b', 'c']
    assert splits.split_order('abcdef', 3, held_out=3)['unlabelled'] == []
    with pytest.raises(ValueError, match='1 and 3 of 6.*3 of them held out'):
        splits.split_order('abcdef', 4, held_out=3)
    with pytest.raises(ValueError, match='3 groups are too few: 3 are held'):
        splits.split_order('abc', 1, held_out=3, kind='groups')
    with pytest.raises(ValueError, match='too few.*one unlabelled'):
        splits.split_order('a', 1)
    with pytest.raises(ValueError, match='held_out must be 0 or more, got -1'):
        splits.split_order('abcdef', 4, held_out=-1)


@pytest.mark.parametrize('count', [0, 20, -1])
def test_split_order_refuses_an_empty_side(count):
    with pytest.raises(ValueError, match='between 1 and 19'):
        splits.split_order(NAMES, count)


@pytest.mark.parametrize(
    'name',
    [
        '/etc/a',
        'a\0b',
        'C:\\a',
        '~/a',
        '\\\\host\\a',
        'a/../b',
        '..\\b',
        '',
        ' a',
        'a\nb',
    ],
)
def test_check_names_refuses_what_leaves_the_prefix(name):
    with pytest.raises(ValueError, match='my list'):
        splits.check_names(['good', name], 'my list')


def test_check_names_refuses_doubles_and_nothing():
    with pytest.raises(ValueError, match="'a' is listed twice"):
        splits.check_names(['a', 'b', 'a'])
    with pytest.raises(ValueError, match='no image name'):
        splits.check_names([])
    assert splits.check_names(['a..b/c.d']) == ['a..b/c.d']


@pytest.mark.parametrize('seed', published_splits.CITYSCAPES_MD5)
@pytest.mark.parametrize('part', ['1-30', '1-8', '1-4'])
def test_shipped_cityscapes_lists_are_the_published_ones(part, seed):
    path = CONFIG_SPLITS / 'cityscapes' / f'{part}_seed{seed}/labelled.txt'
    names = split_readers.read_names(path)
    count = {'1-30': 100, '1-8': 372, '1-4': 744}[part]
    assert published_splits.published_split(names) == (
        f"CutMix-Seg's Cityscapes, seed {seed}, {count} images"
    )
    assert all(n.split('/')[0] == n.split('/')[1].split('_')[0] for n in names)


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_shipped_camvid_lists_are_nested_and_as_the_tool_makes_them(
    seed, tmp_path
):
    pool, previous = None, []
    for part, count in (('1-30', 12), ('1-8', 46), ('1-4', 92)):
        folder = CONFIG_SPLITS / 'camvid' / f'{part}_seed{seed}'
        lists = {
            title: split_readers.read_names(folder / f'{title}.txt')
            for title in ('labelled', 'unlabelled')
        }
        splits.check_disjoint(lists)
        pool = sorted(lists['labelled'] + lists['unlabelled'])
        assert len(pool) == 367 and len(lists['labelled']) == count
        assert lists['labelled'][: len(previous)] == previous
        order = splits.seeded_order(pool, seed)
        assert lists == splits.split_order(order, count)
        record = json.loads((folder / 'provenance.json').read_text())
        for title, names in lists.items():
            entry = record['lists'][f'{title}.txt']
            assert entry['md5'].startswith(splits.names_md5(names))
        previous = lists['labelled']


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_shipped_camvid_lists_with_held_out_images(seed):
    shipped = {}
    for part, count in (('1-30', 12), ('1-8', 46), ('1-4', 92), ('full', 330)):
        folder = CONFIG_SPLITS / 'camvid_held-out' / f'{part}_seed{seed}'
        titles = ['labelled', 'held_out']
        titles += ['unlabelled'] if part != 'full' else []
        shipped[part] = {
            title: split_readers.read_names(folder / f'{title}.txt')
            for title in titles
        }
        assert len(shipped[part]['labelled']) == count
    pool = shipped['full']['labelled'] + shipped['full']['held_out']
    order = splits.seeded_order(pool, seed)
    for part in ('1-30', '1-8', '1-4'):
        count = len(shipped[part]['labelled'])
        assert shipped[part] == splits.split_order(order, count, held_out=37)
        # The labelled images are the same as without held-out ones.
        path = CONFIG_SPLITS / 'camvid' / f'{part}_seed{seed}/labelled.txt'
        assert shipped[part]['labelled'] == split_readers.read_names(path)
    full = splits.split_order(order, 330, held_out=37)
    assert full.pop('unlabelled') == []
    assert shipped['full'] == full


def test_permutation_must_fit_the_names():
    with pytest.raises(ValueError, match='3 entries'):
        splits.permuted_order('ab', np.array([0, 1, 2]))


def test_check_disjoint_names_examples():
    with pytest.raises(ValueError, match='labelled and validation.* b, c$'):
        splits.check_disjoint(
            {'labelled': 'abc', 'unlabelled': 'de', 'validation': 'bcf'}
        )
    splits.check_disjoint({'labelled': 'ab', 'unlabelled': 'cd'})


def test_class_covering_order_is_greedy_and_stable():
    classes = {'a': {0}, 'b': {0, 1}, 'c': {0, 1, 2}, 'd': {3}, 'e': set()}
    order = splits.class_covering_order('eabcd', classes)
    assert order == ['c', 'd', 'e', 'a', 'b']


@given(
    st.lists(
        st.frozensets(st.integers(0, 5), max_size=3), min_size=1, max_size=12
    )
)
def test_class_covering_order_keeps_all_names_and_covers(sets):
    classes = {str(index): found for index, found in enumerate(sets)}
    order = splits.class_covering_order(list(classes), classes)
    assert sorted(order) == sorted(classes)
    present = frozenset().union(*sets)
    head = order[: len(present)]
    assert frozenset().union(*(classes[name] for name in head)) == present


def test_write_split_keeps_another_list_unless_forced(tmp_path):
    paths = splits.write_split(tmp_path, {'labelled': ['b', 'a']}, {'seed': 1})
    assert [path.name for path in paths] == ['labelled.txt', 'provenance.json']
    assert paths[0].read_bytes() == b'b\na\n'
    record = json.loads(paths[1].read_text())
    assert record['seed'] == 1
    assert record['lists']['labelled.txt']['count'] == 2
    # md5sum of "b\na\n"
    assert (
        record['lists']['labelled.txt']['md5']
        == 'd6b441411dbef1d4999fdc4fbdbc7828'
    )
    splits.write_split(tmp_path, {'labelled': ['b', 'a']}, {})
    with pytest.raises(FileExistsError, match='holds another list.*--force'):
        splits.write_split(tmp_path, {'labelled': ['c']}, {})
    assert paths[0].read_bytes() == b'b\na\n'
    splits.write_split(tmp_path, {'labelled': ['c']}, {}, force=True)
    assert paths[0].read_bytes() == b'c\n'
