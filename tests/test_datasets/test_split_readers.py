import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from rml_mmseg.datasets import published_splits, split_readers, splits
from tests.toys import shared_split


@pytest.mark.parametrize('protocol', [2, 3, 4, pickle.HIGHEST_PROTOCOL])
def test_voc_permutation_gives_the_published_prefixes(tmp_path, protocol):
    order = (
        shared_split('voc_cutmixseg_split0_full_order.txt').read_text().split()
    )
    names = sorted(order)
    position = {name: index for index, name in enumerate(names)}
    path = tmp_path / 'split_0.pkl'
    path.write_bytes(
        pickle.dumps(np.array([position[name] for name in order]), protocol)
    )
    permutation = split_readers.read_permutation(path)
    permuted = splits.permuted_order(names, permutation)
    for part, count in (('100', 106), ('50', 212), ('20', 529), ('8', 1323)):
        expected = shared_split(f'voc_cutmixseg_split0_1_{part}_{count}.txt')
        assert splits.list_text(permuted[:count]) == expected.read_text()
        assert published_splits.published_split(permuted[:count]) == (
            f"CutMix-Seg's VOC split 0, {count} images"
        )


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('dtype', ['int64', '>i4', 'uint16'])
def test_read_permutation_of_every_protocol(tmp_path, protocol, dtype):
    path = tmp_path / 'order.pkl'
    path.write_bytes(pickle.dumps(np.array([2, 0, 1], dtype), protocol))
    permutation = split_readers.read_permutation(path)
    assert splits.permuted_order('cab', permutation) == ['c', 'a', 'b']


def test_read_permutation_of_numpy_1_and_2(tmp_path):
    pickled = pickle.dumps(np.array([1, 0]), 2)
    old = pickled.replace(b'numpy._core', b'numpy.core')
    for content in (old, old.replace(b'numpy.core', b'numpy._core')):
        path = tmp_path / 'order.pkl'
        path.write_bytes(content)
        assert split_readers.read_permutation(path).tolist() == [1, 0]


class Hostile:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_hostile_pickle_is_refused_and_not_run(tmp_path, protocol):
    target = str(tmp_path / 'made')
    for hostile in (Hostile(target), np.array([Hostile(target)])):
        path = tmp_path / 'split_0.pkl'
        path.write_bytes(pickle.dumps(hostile, protocol))
        with pytest.raises(ValueError, match='mkdir, which is not allowed'):
            split_readers.read_permutation(path)
        assert not Path(target).exists()


class Huge:
    """Pickles to an array that allocates memory before it has content."""

    def __reduce__(self):
        return np.ndarray(0).__reduce__()[0], (np.ndarray, (1 << 20,), b'b')


def test_array_that_begins_with_a_size_is_refused(tmp_path):
    path = tmp_path / 'split_0.pkl'
    path.write_bytes(pickle.dumps(Huge()))
    with pytest.raises(ValueError, match='not the start'):
        split_readers.read_permutation(path)


@pytest.mark.parametrize(
    'content',
    [
        pickle.dumps([0, 1]),
        pickle.dumps(np.array([[0, 1]])),
        pickle.dumps(np.array([0.0, 1.0])),
        pickle.dumps(np.array([0, 2])),
        pickle.dumps(np.array([0, 0])),
        pickle.dumps(np.array([1, 0]))[:-9],
        b'',
    ],
)
def test_read_permutation_refuses_what_is_none(tmp_path, content):
    path = tmp_path / 'split_0.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='split_0.pkl'):
        split_readers.read_permutation(path)


@pytest.mark.parametrize(
    ('text', 'prefix', 'suffix', 'expected'),
    [
        # DMT, and CPS on VOC
        ('2007_000032\n2007_000039\n', '', None, '2007_000032'),
        ('zurich/zurich_1_9\n', '', '_leftImg8bit.png', 'zurich/zurich_1_9'),
        # UniMatch and ST++
        (
            'JPEGImages/a.jpg SegmentationClass/a.png\n',
            'JPEGImages',
            None,
            'a',
        ),
        (
            'leftImg8bit/train/ulm/u_1_leftImg8bit.png gtFine/x.png\r\n',
            'leftImg8bit/train/',
            '_leftImg8bit.png',
            'ulm/u_1',
        ),
        # CPS on Cityscapes
        (
            '/images/train/jena_7.png\t/segmentation/train/jena_7_gtFine.png\n',
            'images/train',
            '.png',
            'jena_7',
        ),
        ('d.webp\n', '', None, 'd'),
        # blanks within a name
        ('with two blanks\n', '', None, 'with two blanks'),
        ('Site 1/slice 2\n', 'Site 1', None, 'slice 2'),
        ('with one.png\tits mask.png\n', '', None, 'with one'),
        # a byte order mark, blank lines, a dot that begins no suffix
        ('\ufeffa.b\n\n', '', None, 'a.b'),
    ],
)
def test_read_names_of_the_peers(tmp_path, text, prefix, suffix, expected):
    path = tmp_path / 'list.txt'
    path.write_bytes(text.encode())
    assert split_readers.read_names(path, prefix, suffix)[0] == expected


@pytest.mark.parametrize(
    ('text', 'prefix', 'suffix', 'message'),
    [
        ('a.jpg\nb.jpg\tb.png\tc\n', '', None, 'line 2.*3 columns'),
        ('a.jpg\nb.jpg b.png c\n', '', None, 'line 2.*with spaces'),
        ('with one.png\n', '', None, 'name with spaces, .* by a tab'),
        ('a/with b/one\n', '', None, 'remove suffixes'),
        ('images/a.jpg\n', 'JPEGImages', None, "prefix 'JPEGImages/'"),
        ('a.png\n', '', '.jpg', "suffix '.jpg'"),
        ('/data/a.jpg /data/a.png\n', '', None, 'absolute'),
        ('//data/a.jpg\t/data/a.png\n', '', None, 'absolute'),
        ('../a.jpg\n', '', None, r"by '\.\.'"),
        ('a.jpg\na.png\n', '', None, 'listed twice'),
        ('\n', '', None, 'no image name'),
    ],
)
def test_read_names_refuses(tmp_path, text, prefix, suffix, message):
    path = tmp_path / 'list.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        split_readers.read_names(path, prefix, suffix)


def test_find_names(tmp_path):
    (tmp_path / 'ulm').mkdir()
    for name in ('ulm/b.png', 'a.png', 'notes.txt'):
        (tmp_path / name).touch()
    assert split_readers.find_names(tmp_path) == ['a', 'ulm/b']
    (tmp_path / 'webp').mkdir()
    (tmp_path / 'webp/d.webp').touch()
    assert split_readers.find_names(tmp_path / 'webp') == ['d']
    (tmp_path / 'webp/d.webp').unlink()
    (tmp_path / 'c.jpg').touch()
    with pytest.raises(ValueError, match='.jpg, .png'):
        split_readers.find_names(tmp_path)
    assert split_readers.find_names(tmp_path, '.jpg') == ['c']
    with pytest.raises(FileNotFoundError, match=r'no image \*.tif'):
        split_readers.find_names(tmp_path, '.tif')
