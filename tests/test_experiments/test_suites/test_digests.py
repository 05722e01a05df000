from pathlib import Path

import pytest
from mmengine.config import Config

from rml_mmseg.engine.config_files import read_config
from rml_mmseg.experiments.suites.digests import (
    CONFIG,
    split_lists,
    take_digests,
)

TEXT = """
where = '{{fileDirname}}/lists'
data_root = '{{$SOME_ROOT:data}}'
weights = 'optional:{{$SOME_WEIGHTS:../weights}}/resnet.pth'
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file=f'{where}/a.txt', n=1))
"""
KEY = 'train_dataloader.dataset.ann_file'


@pytest.fixture
def digests(tmp_path, monkeypatch):
    """Function that takes the digests of a clone in a folder of a name."""

    def take(name='clone', text=TEXT, names='x', **options):
        clone = tmp_path / name
        (clone / 'lists').mkdir(parents=True, exist_ok=True)
        (clone / 'lists/a.txt').write_text(names)
        (clone / 'c.py').write_text(text)
        monkeypatch.chdir(clone)
        return take_digests(read_config('c.py'), options)

    return take


def test_moved_clones_and_data_are_the_same(digests, monkeypatch):
    first = digests()
    assert set(first) == {CONFIG, KEY}
    assert {len(digest) for digest in first.values()} == {16}
    monkeypatch.setenv('SOME_ROOT', '/elsewhere/camvid')
    monkeypatch.setenv('SOME_WEIGHTS', '/elsewhere/weights')
    assert digests('moved') == first
    assert digests(work_dir='x') == first


def test_contents_that_differ(digests):
    first = digests()
    listed = digests(names='y')
    assert listed[CONFIG] == first[CONFIG]
    assert listed[KEY] != first[KEY]
    for other in (
        digests(text=TEXT.replace('n=1', 'n=2')),
        digests(text=TEXT.replace('resnet', 'vit')),
        digests(**{'train_dataloader.dataset.n': 3}),
        digests(text=TEXT + 'more = 1'),
    ):
        assert other[CONFIG] != first[CONFIG]
        assert other[KEY] == first[KEY]


def test_lists_that_are_not_there_have_no_digest(digests):
    assert set(digests(**{KEY: '{cwd}/none.txt'})) == {CONFIG}


def test_lists_of_all_data_sets():
    sets = [dict(ann_file='a.txt'), dict(ann_file='b.txt', data_root='d')]
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=dict(datasets=sets)),
            val_dataloader=dict(dataset=dict(ann_file='')),
            test_dataloader=None,
            other=dict(ann_file='c.txt'),
        )
    )
    assert split_lists(cfg) == {
        'train_dataloader.dataset.datasets.0.ann_file': Path('a.txt'),
        'train_dataloader.dataset.datasets.1.ann_file': Path('d', 'b.txt'),
    }


def test_the_config_stays_as_it_is():
    cfg = Config(dict(a=1))
    take_digests(cfg, {'a': 2})
    assert cfg.a == 1
