"""The plain data sets of a concatenated one."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.registry import DATASETS


def build_lazily(cfg: dict[str, Any]) -> Any:
    """Build a plain or concatenated data set without looking for its files.

    Args:
        cfg (dict): Config of a data set or of a ``ConcatDataset``, which may
            hold others.
    """
    if 'datasets' in cfg:
        # mmengine joins built data sets only if they are plain.
        cfg = dict(cfg, datasets=[build_lazily(c) for c in _parts(cfg)])
    return DATASETS.build(dict(cfg, lazy_init=True))


def _parts(cfg: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Configs of the plain data sets of a concatenated one, in order."""
    if 'datasets' not in cfg:
        yield cfg
    for part in cfg.get('datasets', ()):
        yield from _parts(part)


def members(dataset: Any) -> list[BaseDataset]:
    """Plain data sets of a concatenated one, in order; of a plain one itself.

    Raises:
        TypeError: If it is neither a plain nor a concatenated data set.
    """
    if isinstance(dataset, ConcatDataset):
        return [each for part in dataset.datasets for each in members(part)]
    if not isinstance(dataset, BaseDataset):
        raise TypeError(
            'must be a data set or a ConcatDataset of some, got '
            f'{type(dataset).__name__}'
        )
    return [dataset]


def class_names(dataset: Any) -> list[str]:
    """Class names of a data set; empty if its metainfo has none."""
    meta = getattr(dataset, 'metainfo', None) or {}
    return list(meta.get('classes') or ())


def image_files(dataset: Any) -> list[str]:
    """Image paths of a plain or concatenated data set, in order."""
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [info['img_path'] for info in infos if 'img_path' in info]


def member_at(dataset: Any, index: int) -> tuple[BaseDataset, int]:
    """Plain data set that holds an item, and the item's index in it."""
    for member in members(dataset):
        if index < len(member):
            return member, index
        index -= len(member)
    raise IndexError(f'index out of range: {len(dataset)} items')
