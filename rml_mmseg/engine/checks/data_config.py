"""Checks of the data settings of a config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.model import BaseDataPreprocessor
from mmseg.datasets import BaseSegDataset
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import DATA_SAMPLERS, DATASETS, MODELS
from torch.utils.data import DataLoader

from rml_mmseg.datasets import SemiSegDataset, UnlabelledSegDataset
from rml_mmseg.datasets.data_root import dataset_nodes
from rml_mmseg.setting_checks import (
    check_count,
    check_known,
    did_you_mean,
    unknown_setting,
)

from .registered import class_of, settings_of, type_name, works_as_one_of

STOCK_SAMPLERS = (InfiniteSampler, DefaultSampler)
STOCK_PREPROCESSORS = (BaseDataPreprocessor, SegDataPreProcessor)
# Names of folders in mmseg 0.x, and those that replaced them.
OLD_FOLDERS = {'img_dir': 'img_path', 'ann_dir': 'seg_map_path'}
# The last two are mmengine's.
LOADER_SETTINGS = [
    *inspect.signature(DataLoader).parameters,
    *('num_batch_per_epoch', 'disable_subprocess_warning'),
]


def check_loaders(cfg: Mapping[str, Any]) -> None:
    """Refuse loader settings for which torch's errors name no loader.

    Args:
        cfg (Mapping): Whole config of a run.

    Raises:
        ValueError: If a setting is wrong; names it, its value, and what would
            be right.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if not isinstance(loader, Mapping):
            continue
        check_known(name, loader, LOADER_SETTINGS)
        for key, without in (
            ('persistent_workers', False),
            ('prefetch_factor', None),
        ):
            if loader.get(key) and not loader.get('num_workers'):
                raise ValueError(
                    f'{name}.num_workers=0 starts no workers, but '
                    f'{name}.{key}={loader[key]!r} needs them: set that to '
                    f'{without}, or num_workers to 1 or more'
                )


def check_data_config(cfg: Mapping[str, Any]) -> None:
    """Refuse data that a ``MutualSemiSegmentor`` cannot be trained with.

    Args:
        cfg (Mapping): Whole config of a run.

    Raises:
        ValueError: If a setting is wrong; names it, its value, and what would
            be right.
    """
    for name in ('train_dataloader', 'val_dataloader'):
        _check_count(cfg.get(name), name, 'batch_size', 1)
        _check_count(cfg.get(name), name, 'num_workers', 0)
        for place, node in dataset_nodes(cfg.get(name), name):
            if node.get('data_prefix'):
                _check_prefix(place, node)
    loader = cfg.get('train_dataloader')
    if not isinstance(loader, Mapping):
        return
    dataset: Any = loader.get('dataset')
    kind = class_of(dataset, DATASETS)
    pairs = inspect.isclass(kind) and issubclass(kind, SemiSegDataset)
    if not (pairs and isinstance(dataset, Mapping)):
        return
    _check_sets(dataset, kind)
    _check_count(dataset, 'train_dataloader.dataset', 'k', 1)
    _check_sampler(loader)
    preprocessor = cfg['model'].get('data_preprocessor')
    name = type_name(preprocessor)
    made = class_of(preprocessor, MODELS)
    if not name or works_as_one_of(made, STOCK_PREPROCESSORS):
        raise ValueError(
            f'model.data_preprocessor is {name or "not set"}, which cannot '
            'handle unlabelled images: set '
            "data_preprocessor=dict(type='SemiSegDataPreProcessor', ...) "
            'with the settings of SegDataPreProcessor'
        )


def _check_count(node: Any, place: str, key: str, least: int) -> None:
    """Refuse a wrong number, if set: torch's error would not name it."""
    if isinstance(node, Mapping):
        check_count(f'{place}.{key}', node.get(key, least), least)


def _check_prefix(place: str, dataset: Mapping[str, Any]) -> None:
    """Refuse a ``data_prefix`` that a data set of mmseg would not read."""
    prefix = dataset['data_prefix']
    if not isinstance(prefix, Mapping):
        raise ValueError(
            f'{place}.data_prefix must be a dict, got {prefix!r}: set '
            f'data_prefix=dict(img_path={prefix!r})'
        )
    kind = class_of(dataset, DATASETS)
    stock = (
        BaseSegDataset.load_data_list,
        UnlabelledSegDataset.load_data_list,
    )
    if getattr(kind, 'load_data_list', None) not in stock:
        return
    for old, new in OLD_FOLDERS.items():
        if old in prefix:
            raise ValueError(
                f'{place}.data_prefix has {old!r}, a name of mmseg 0.x: use '
                f'{new!r}'
            )


def _check_sets(dataset: Mapping[str, Any], kind: type) -> None:
    """Refuse misspelt settings, before data is reported missing."""
    known = settings_of(kind)
    # A subclass may take more settings, but hardly similar ones.
    own = inspect.signature(kind) != inspect.signature(SemiSegDataset)
    for key in dataset:
        if key in ('type', *known):
            continue
        if did_you_mean(key, known) or not own:
            raise ValueError(
                unknown_setting('train_dataloader.dataset', key, known)
            )


def _check_sampler(loader: Mapping[str, Any]) -> None:
    """Refuse a sampler that draws single indices instead of pairs."""
    sampler = loader.get('sampler')
    name = type_name(sampler)
    kind = class_of(sampler, DATA_SAMPLERS)
    if not name or works_as_one_of(kind, STOCK_SAMPLERS):
        raise ValueError(
            f'train_dataloader.sampler is {name or "not set"}, which would '
            'always pair an unlabelled image with the same labelled one: set '
            "sampler=dict(type='SemiSegSampler')"
        )
