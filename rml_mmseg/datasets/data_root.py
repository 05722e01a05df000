"""Check that the data a config names is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_SETTINGS = ('data_root', 'data_prefix', 'ann_file')


def check_data_roots(
    cfg: Mapping[str, Any], loaders: Sequence[str] = LOADERS
) -> None:
    """Check that every file and folder that the datasets name exists.

    Datasets are found at any depth below a data loader, so wrappers and pairs
    of datasets are covered. Paths in a remote storage (`scheme://`) are not
    looked up.

    Args:
        cfg (Mapping): Whole config. Its optional top-level key
            `data_preparation` says how to get the data; the error ends with
            it if something is missing below the top-level `data_root`.
        loaders (Sequence[str]): Names of the data loaders to look into; those
            that are not set are skipped. Defaults to all three.

    Raises:
        FileNotFoundError: If something is missing; names every missing path
            once, with the settings that ask for it.
    """
    missing: dict[str, list[str]] = {}
    for loader in loaders:
        for place, dataset in dataset_nodes(cfg.get(loader), loader):
            for setting, path in _dataset_paths(dataset, place):
                if not os.path.exists(path):
                    missing.setdefault(path, []).append(setting)
    if not missing:
        return
    lines = [
        f'  {path} (set by {", ".join(settings)})'
        for path, settings in missing.items()
    ]
    lines.insert(0, 'the data of this config is missing:')
    # The key may be inherited from a base whose data the config replaces.
    root = os.path.join(cfg.get('data_root') or '', '')
    if cfg.get('data_preparation') and any(
        os.path.join(path, '').startswith(root) for path in missing
    ):
        lines.append(f'How to get it: {cfg["data_preparation"]}')
    raise FileNotFoundError('\n'.join(lines))


def dataset_nodes(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the data sets of a part of a config, at any depth.

    Args:
        node (Any): Part of a config, such as a data loader's.
        place (str): Its dotted name.

    Yields:
        tuple: Dotted name and config of each data set.
    """
    if isinstance(node, Mapping):
        if any(node.get(name) for name in _SETTINGS):
            yield place, node
        for key, value in node.items():
            if key not in ('data_prefix', 'pipeline'):
                yield from dataset_nodes(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from dataset_nodes(value, f'{place}.{index}')


def _dataset_paths(
    dataset: Mapping[str, Any], place: str
) -> Iterator[tuple[str, str]]:
    """Yield the paths of one dataset: its root if missing, else all below."""
    root = dataset.get('data_root') or ''
    if '://' in root:
        return
    if root and not os.path.isdir(root):
        yield f'{place}.data_root', root
        return
    prefix = dataset.get('data_prefix') or {}
    below = {f'data_prefix.{key}': path for key, path in prefix.items()}
    below['ann_file'] = dataset.get('ann_file')
    for setting, path in below.items():
        if isinstance(path, str) and path and '://' not in path:
            yield f'{place}.{setting}', os.path.join(root, path)
