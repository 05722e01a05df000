"""What a run trains with, as short digests that tell of changes in files."""

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

#: The digest of a config. Runs of before, with another digest of it, have it
#: under another name, and are compared by their settings and lists alone.
CONFIG = 'settings'
#: Where data and results lie is not what is trained.
PLACES = ('data_root', 'work_dir')


def take_digests(cfg: Config, options: dict[str, Any]) -> dict[str, str]:
    """Digests of the config that is trained and of its lists of images.

    They are the same in a clone or beside data that was moved: of absolute
    paths only what is below the current folder counts, or else the name, and
    of weights that a run can do without the name.

    Args:
        cfg (Config): Config, as its file and bases say.
        options (dict): Settings of it to override, with dots in the keys.

    Returns:
        dict[str, str]: Under ``CONFIG`` that of the config, and those of the
        contents of lists that are there, by setting.
    """
    merged = merge_options(cfg, options)
    digests = {CONFIG: _digest(repr(_portable(merged.to_dict())).encode())}
    for key, path in split_lists(merged).items():
        if path.is_file():
            digests[key] = _digest(path.read_bytes())
    return digests


def merge_options(cfg: Config, options: dict[str, Any]) -> Config:
    """The config that is trained; the one that is given stays as it is.

    Args:
        cfg (Config): Config.
        options (dict): Settings of it to override, with dots in the keys.

    Raises:
        ValueError: If an option does not fit the config.
    """
    merged = copy.deepcopy(cfg)
    override(merged, fill(options, cwd=Path.cwd()), f'{cfg.filename}: option')
    return merged


def split_lists(cfg: Config) -> dict[str, Path]:
    """Lists of images that the data sets of a config read.

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
            # As mmengine does: an absolute path stays what it is.
            root = value.get('data_root') or ''
            yield f'{key}.ann_file', Path(root, file)
    elif not isinstance(value, (list, tuple)):
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, item in items:
        yield from _lists(item, f'{key}.{name}')


def _portable(value: Any) -> Any:
    """A setting without what varies where a clone or data are moved."""
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
