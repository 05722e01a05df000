import gzip
from pathlib import Path

import pytest

from rml_mmseg.datasets.mnist import read_idx, read_mnist

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'mnist'
IDX = b'\0\0\x08\x02' + b'\0\0\0\x02\0\0\0\x03' + bytes(range(6))


def test_read_idx_gzipped_and_plain(tmp_path):
    for name, content in (('a.gz', gzip.compress(IDX, mtime=0)), ('a', IDX)):
        (tmp_path / name).write_bytes(content)
        read = read_idx(tmp_path / name)
        assert read.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a', b'\x89PNG', 'idx magic 00 00 08.*got 89 50 4e'),
        ('a', b'', 'got nothing'),
        ('a', IDX[:8], 'within its header'),
        ('a', IDX[:-1], r'must hold 6 bytes for its shape \(2, 3\), got 5'),
        ('a', IDX + b'\0', 'got 7'),
        ('a.gz', IDX, 'not a complete gzip'),
        ('a.gz', gzip.compress(IDX, mtime=0)[:-9], 'not a complete gzip'),
    ],
)
def test_read_idx_refuses(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / name)


def test_read_mnist_names_the_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='train-images'):
        read_mnist(tmp_path)


def test_read_mnist_of_the_real_files():
    if not SHARED.is_dir():
        pytest.skip('needs MNIST in shared/data/mnist')
    data = read_mnist(SHARED)
    assert data.train_images.shape == (60000, 784)
    assert data.test_images.shape == (10000, 784)
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test_labels.bincount().tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
