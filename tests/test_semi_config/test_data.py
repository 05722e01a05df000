"""Data sets of stock configs, unwrapped."""

import pytest
from mmengine.config import Config

from rml_mmseg.semi_config.data import pipeline_of, plain_datasets


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
