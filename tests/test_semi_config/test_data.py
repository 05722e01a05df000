"""Data sets of stock configs, out of what they are wrapped in."""

import pytest
from mmengine.config import Config

from rml_mmseg.semi_config.data import (
    data_of_lists,
    pipeline_of,
    plain_datasets,
)
from tests.toys import labelled_cfg, write_images


def loader(dataset):
    return Config(dict(train_dataloader=dict(dataset=dataset)))


def plain(name):
    return dict(type='BaseSegDataset', ann_file=name, pipeline=[name])


def wrapped(kind, **settings):
    return dict(type=kind, **settings)


@pytest.mark.parametrize(
    ('dataset', 'names'),
    [
        (plain('a'), 'a'),
        (wrapped('RepeatDataset', times=2, dataset=plain('a')), 'a'),
        (wrapped('ConcatDataset', datasets=[plain('a'), plain('b')]), 'ab'),
        (
            wrapped(
                'RepeatDataset',
                dataset=wrapped(
                    'mmseg.ConcatDataset',
                    datasets=[
                        wrapped('RepeatDataset', dataset=plain('b')),
                        plain('a'),
                    ],
                ),
            ),
            'ba',
        ),
    ],
)
def test_plain_datasets(dataset, names):
    cfg = loader(dataset)
    found = plain_datasets(cfg, 'train_dataloader')
    assert ''.join(item['ann_file'] for item in found) == names
    assert pipeline_of(cfg, 'train_dataloader') == [names[0]]


def test_mixed_images_are_refused():
    cfg = loader(wrapped('MultiImageMixDataset', dataset=plain('a')))
    with pytest.raises(ValueError, match='train_dataloader.dataset is a Mul'):
        plain_datasets(cfg, 'train_dataloader')


def test_images_for_validation_are_not_learnt_from(tmp_path):
    write_images(tmp_path, 4)
    for name, number in (('labelled', 0), ('val', 3)):
        (tmp_path / f'{name}.txt').write_text(f'{number}\n')
    train = labelled_cfg(tmp_path)
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=train),
            val_dataloader=dict(dataset=dict(train, ann_file='val.txt')),
        )
    )
    data = data_of_lists(cfg, tmp_path / 'labelled.txt', tmp_path / 'img')
    assert data.names == ['1.png', '2.png']
