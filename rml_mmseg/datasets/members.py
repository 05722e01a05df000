"""The plain data sets that a joined one is made of."""

from typing import Any

from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.registry import DATASETS


def build_lazily(cfg: dict[str, Any]) -> Any:
    """Build a data set, or a joined one, that has not looked for its files.

    Args:
        cfg (dict): Config of a data set or of a ``ConcatDataset``.
    """
    if 'datasets' in cfg:
        cfg = dict(cfg, datasets=[build_lazily(c) for c in cfg['datasets']])
    return DATASETS.build(dict(cfg, lazy_init=True))


def members(dataset: Any) -> list[BaseDataset]:
    """Plain data sets in order, of a plain one itself.

    Raises:
        TypeError: If it is neither plain nor joined.
    """
    if isinstance(dataset, ConcatDataset):
        return list(dataset.datasets)
    if not isinstance(dataset, BaseDataset):
        raise TypeError(
            'must be a data set or a ConcatDataset of some, got '
            f'{type(dataset).__name__}'
        )
    return [dataset]


def class_names(dataset: Any) -> list[str]:
    """Names of a data set's classes, none where it tells none."""
    meta = getattr(dataset, 'metainfo', None) or {}
    return list(meta.get('classes') or ())


def image_files(dataset: Any) -> list[str]:
    """Paths of the images of a data set or a joined one, in order."""
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [info['img_path'] for info in infos if 'img_path' in info]


def member_at(dataset: Any, index: int) -> tuple[BaseDataset, int]:
    """The plain data set that has an item, and the item's number there."""
    for member in members(dataset):
        if index < len(member):
            return member, index
        index -= len(member)
    raise IndexError(f'a data set of {len(dataset)} items has no such one')
