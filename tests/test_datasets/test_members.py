"""Data sets that are joined at several levels."""

import pytest
from mmengine.dataset import ConcatDataset
from mmseg.registry import DATASETS

from rml_mmseg.datasets.members import build_lazily, member_at, members
from tests.toys import labelled_cfg, write_images


def joined(*parts):
    return dict(type='ConcatDataset', datasets=list(parts))


@pytest.fixture
def nested(tmp_path):
    """Two data sets in one that is joined to a third; 1, 2 and 3 images."""
    parts = []
    for count in (1, 2, 3):
        write_images(tmp_path / str(count), count)
        parts.append(labelled_cfg(tmp_path / str(count)))
    return joined(joined(*parts[:2]), parts[2])


def test_plain_data_sets_of_joined_ones(nested):
    stock = DATASETS.build(nested)
    assert isinstance(stock.datasets[0], ConcatDataset)
    assert [len(part) for part in members(stock)] == [1, 2, 3]
    member, index = member_at(stock, 4)
    assert (len(member), index) == (3, 1)


def test_all_are_built_without_looking_for_files(nested, tmp_path):
    (tmp_path / '2').rename(tmp_path / 'later')
    lazy = build_lazily(nested)
    (tmp_path / 'later').rename(tmp_path / '2')
    lazy.full_init()
    stock = DATASETS.build(nested)
    assert len(lazy) == len(stock) == 6
    for i in range(6):
        found, wanted = (each.get_data_info(i) for each in (lazy, stock))
        assert found['img_path'] == wanted['img_path']
