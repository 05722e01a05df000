"""Wrong words about data stop a run before anything is read."""

import pytest
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.model import BaseDataPreprocessor
from mmseg.datasets import BaseSegDataset
from mmseg.models import SegDataPreProcessor
from mmseg.registry import DATASETS

from rml_mmseg.datasets import SemiSegDataset
from rml_mmseg.engine.checks.data_config import (
    check_data_config,
    check_loaders,
)

FOLDERS = dict(img_path='img', seg_map_path='ann')


def config(labelled=None, dataset=None, **changes):
    labelled = labelled or dict(type='BaseSegDataset', data_prefix=FOLDERS)
    if dataset is None:
        dataset = dict(
            type='SemiSegDataset',
            labelled=labelled,
            unlabelled=dict(type='UnlabelledSegDataset'),
        )
    loader = dict(dataset=dataset, sampler=dict(type='SemiSegSampler'))
    cfg = dict(
        model=dict(data_preprocessor=dict(type='SemiSegDataPreProcessor')),
        train_dataloader=loader,
    )
    return Config({**cfg, **changes})


def test_good_data():
    check_data_config(config())


@pytest.mark.parametrize('kind', ['InfiniteSampler', 'DefaultSampler', None])
def test_stock_samplers_are_refused(kind):
    cfg = config()
    cfg.train_dataloader.sampler = kind and dict(type=kind)
    named = kind or 'not set'
    with pytest.raises(ValueError, match=f'sampler is {named}.*SemiSegSamp'):
        check_data_config(cfg)
    cfg.train_dataloader.dataset = dict(type='CamVidDataset')
    check_data_config(cfg)


def test_a_misspelt_set():
    dataset = dict(type='SemiSegDataset', labeled=dict(ann_file='gone.txt'))
    with pytest.raises(ValueError, match="'labeled'; did you mean 'labelled'"):
        check_data_config(config(dataset=dataset))


def test_a_child_of_the_pairs_is_checked_by_its_own_settings():
    class OwnPairs(SemiSegDataset):
        def __init__(self, days=1, **kwargs):
            super().__init__(**kwargs)

    own = dict(
        type=OwnPairs,
        days=2,
        labelled=dict(type='BaseSegDataset'),
        unlabelled=dict(type='UnlabelledSegDataset'),
    )
    check_data_config(config(dataset=own))
    with pytest.raises(ValueError, match="'labeled'; did you mean 'labelled'"):
        check_data_config(config(dataset=dict(own, labeled={})))
    with pytest.raises(ValueError, match='dataset.k must be a whole number'):
        check_data_config(config(dataset=dict(own, k=0)))


def test_a_child_of_the_pairs_may_take_out_of_its_keywords():
    class OwnPairs(SemiSegDataset):
        def __init__(self, **kwargs):
            self.days = kwargs.pop('days')
            super().__init__(**kwargs)

    class Named(SemiSegDataset):
        """A data set with the settings of ``SemiSegDataset``."""

    own = dict(type=OwnPairs, days=2, labelled={}, unlabelled={})
    check_data_config(config(dataset=own))
    with pytest.raises(ValueError, match="no setting 'days'. Known"):
        check_data_config(config(dataset=dict(own, type=Named)))


def sampled_by(method):
    """A subclass of a stock sampler that overrides a method."""

    def drawn(self):
        """Draws pairs."""

    return type('Own', (InfiniteSampler,), {method: drawn})


@pytest.mark.parametrize('method', ['__iter__', '_infinite_indices'])
def test_a_child_of_a_stock_sampler_may_draw_otherwise(method):
    cfg = config()
    cfg.train_dataloader.sampler = dict(type=sampled_by(method))
    check_data_config(cfg)
    cfg.train_dataloader.sampler = dict(type=sampled_by('__init__'))
    with pytest.raises(ValueError, match=r'sampler is Own.*SemiSegSampler'):
        check_data_config(cfg)


def test_a_child_of_a_stock_preprocessor_may_know_more():
    class Named(SegDataPreProcessor):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)

    class Both(SegDataPreProcessor):
        def forward(self, data, training=False):
            """Read labelled and unlabelled images."""

    class Moved(BaseDataPreprocessor):
        def cast_data(self, data):
            """Read labelled and unlabelled images, too."""

    for kind in (Both, Moved):
        model = dict(data_preprocessor=dict(type=kind))
        check_data_config(config(model=model))
    with pytest.raises(ValueError, match='data_preprocessor is Named.*Semi'):
        check_data_config(
            config(model=dict(data_preprocessor=dict(type=Named)))
        )


def test_pairs_that_are_built_are_not_looked_into():
    check_data_config(config(dataset=object.__new__(SemiSegDataset)))


@pytest.mark.parametrize(
    'kind', [None, 'SegDataPreProcessor', 'BaseDataPreprocessor']
)
def test_a_preprocessor_of_plain_batches(kind):
    model = dict(data_preprocessor=kind and dict(type=kind))
    named = kind or 'not set'
    message = f'data_preprocessor is {named}.*SemiSegDataPreProcessor'
    with pytest.raises(ValueError, match=message):
        check_data_config(config(model=model))
    check_data_config(config(model=model, dataset=dict(type='BaseSegDataset')))


def test_a_folder_in_the_place_of_a_prefix():
    labelled = dict(type='BaseSegDataset', data_prefix='images')
    message = (
        'train_dataloader.dataset.labelled.data_prefix must be a dict, got '
        r"'images': set data_prefix=dict\(img_path='images'\)"
    )
    with pytest.raises(ValueError, match=message):
        check_data_config(config(labelled))


def test_folders_as_they_were_called():
    prefix = dict(img_dir='img', ann_dir='ann')
    labelled = dict(type='BaseSegDataset', data_prefix=prefix)
    message = "labelled.data_prefix has 'img_dir'.*: use 'img_path'"
    with pytest.raises(ValueError, match=message):
        check_data_config(config(labelled))
    joined = dict(type='ConcatDataset', datasets=[labelled])
    with pytest.raises(ValueError, match='labelled.datasets.0.data_prefix'):
        check_data_config(config(joined))
    val = dict(dataset=labelled)
    with pytest.raises(ValueError, match='val_dataloader.dataset.data_prefix'):
        check_data_config(config(val_dataloader=val))


def test_a_data_set_that_finds_its_files_itself():
    class Own(BaseSegDataset):
        def load_data_list(self):
            """Find files by other settings."""

    DATASETS.register_module('OwnFolders', module=Own, force=True)
    prefix = dict(img_dir='img')
    check_data_config(config(dict(type='OwnFolders', data_prefix=prefix)))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(batchsize=5), "no setting 'batchsize'; did you mean 'batch_siz"),
        (
            dict(num_workers=0, persistent_workers=True),
            'num_workers=0 .*persistent_workers=True .*: set that to False',
        ),
        (dict(prefetch_factor=2), 'num_workers=0 .*prefetch_factor=2 .*None'),
    ],
)
def test_settings_of_a_loader(settings, message):
    loader = dict(batch_size=2, num_batch_per_epoch=3)
    good = dict(loader, num_workers=1, persistent_workers=True)
    check_loaders(config(test_dataloader=good))
    for name in ('val_dataloader', 'test_dataloader'):
        cfg = config(**{name: dict(loader, **settings)})
        with pytest.raises(ValueError, match=f'{name}.*{message}'):
            check_loaders(cfg)


@pytest.mark.parametrize(
    ('place', 'value', 'least'),
    [
        ('train_dataloader.batch_size', 0, 1),
        ('train_dataloader.num_workers', -1, 0),
        ('train_dataloader.dataset.k', 1.5, 1),
        ('train_dataloader.dataset.k', '2', 1),
        ('val_dataloader.batch_size', True, 1),
    ],
)
def test_what_must_be_a_whole_number(place, value, least):
    cfg = config()
    cfg.merge_from_dict({place: least})
    check_data_config(cfg)
    cfg.merge_from_dict({place: value})
    message = (
        f'{place} must be a whole number of {least} or more, got {value!r}'
    )
    with pytest.raises(ValueError, match=message):
        check_data_config(cfg)
