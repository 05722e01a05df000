"""Digests of the config and image lists of a run, to detect changes."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from rml_mmseg.engine.config_files import override
from rml_mmseg.models.optional_weights import PREFIX

from .options import fill

#: Key of the config's digest. Older runs have another kind of digest under
#: another key and are compared by their settings and lists alone.
CONFIG = 'settings'
#: Left out: where data and results are does not change what is trained.
PLACES = ('data_root', 'work_dir')


def take_digests(cfg: Config, options: dict[str, Any]) -> dict[str, str]:
    """Digests of the config that is trained and of its image lists.

    They are the same in a clone or after data was moved: absolute paths count
    only relative to the current folder or, outside of it, by their name, and
    optional weights by their name.

    Args:
        cfg (Config): Config, as read from its file.
        options (dict): Settings to override, with dots in the keys.

    Returns:
        dict[str, str]: The config's digest under ``CONFIG``, and digests of
        the contents of existing lists, by setting.
    """
    merged = merge_options(cfg, options)
    digests = {CONFIG: _digest(repr(_portable(merged.to_dict())).encode())}
    for key, path in split_lists(merged).items():
        if path.is_file():
            digests[key] = _digest(path.read_bytes())
    return digests


def merge_options(cfg: Config, options: dict[str, Any]) -> Config:
    """Copy a config and override settings in the copy.

    Args:
        cfg (Config): Config; not modified.
        options (dict): Settings to override, with dots in the keys.

    Raises:
        ValueError: If an option does not fit the config.
    """
    merged = copy.deepcopy(cfg)
    override(merged, fill(options, cwd=Path.cwd()), f'{cfg.filename}: option')
    return merged


def split_lists(cfg: Config) -> dict[str, Path]:
    """Image lists that the data sets of a config read.

    Args:
        cfg (Config): Config with all options.

    Returns:
        dict[str, Path]: Files by setting, such as
        'train_dataloader.dataset.ann_file'.
    """
    loaders = (f'{part}_dataloader' for part in ('train', 'val', 'test'))
    return {
        key: path
        for name in loaders
        for key, path in _lists(cfg.get(name), name)
    }


def _lists(value: Any, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Mapping):
        file = value.get('ann_file')
        if isinstance(file, str) and file:
            # As in mmengine, an absolute path stays as it is.
            root = value.get('data_root') or ''
            yield f'{key}.ann_file', Path(root, file)
    elif not isinstance(value, (list, tuple)):
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, item in items:
        yield from _lists(item, f'{key}.{name}')


def _portable(value: Any) -> Any:
    """A setting without what changes when a clone or data is moved."""
    if isinstance(value, Mapping):
        kept = {str(k): v for k, v in value.items() if k not in PLACES}
        return [(key, _portable(kept[key])) for key in sorted(kept)]
    if isinstance(value, (list, tuple)):
        return [_portable(item) for item in value]
    if isinstance(value, str) and value.startswith(PREFIX):
        return Path(value).name
    if isinstance(value, str) and Path(value).is_absolute():
        path = Path(value)
        below = path.is_relative_to(Path.cwd())
        return str(path.relative_to(Path.cwd())) if below else path.name
    return value


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
