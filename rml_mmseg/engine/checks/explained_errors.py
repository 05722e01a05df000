"""Errors of other libraries, explained in terms of the config."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from traceback import walk_tb
from types import FrameType
from typing import Any
from urllib.error import URLError

from mmengine.runner.checkpoint import load_from_local

from rml_mmseg.models.optional_weights import load_optional
from rml_mmseg.setting_checks import did_you_mean, unknown_setting

from ..whole_checkpoint import CheckpointError, why_unreadable
from .plain_errors import UNREGISTERED
from .registered import registered_names, settings_of

# Code of what reads weights; functions elsewhere may have the same name.
LOADERS = (load_from_local.__code__, load_optional.__code__)
# Function of mmengine that joins the items of a data set; fails without any.
JOINS = '_serialize_data'


@contextmanager
def explained_errors(cfg: Mapping[str, Any]) -> Iterator[None]:
    """Make errors name the setting or the file that they are about.

    Args:
        cfg (Mapping): Whole config of a run.

    Raises:
        CheckpointError: If a file of weights cannot be read; names it.
        KeyError: If a type is not registered; names the closest.
        RuntimeError: If weights cannot be downloaded; names all settings that
            hold a URL.
        TypeError: If a component has no such setting; names the closest.
        ValueError: If a data set has no image; names its settings.
    """
    try:
        yield
    except Exception as error:
        frames = [frame for frame, _ in walk_tb(error.__traceback__)]
        better = (
            _unreadable_weights(error, frames)
            or _no_download(error, cfg)
            or _empty_data(error, frames)
            or _unknown_setting(error, frames)
            or _unregistered(error, frames)
        )
        if better is None:
            raise
        raise better from error


def _unreadable_weights(
    error: Exception, frames: list[FrameType]
) -> CheckpointError | None:
    for frame in frames:
        if frame.f_code in LOADERS:
            return CheckpointError(
                f'the weights {frame.f_locals["filename"]!r} cannot be read '
                f'({why_unreadable(error)}): check the setting or the '
                'argument that names them'
            )
    return None


def _no_download(
    error: Exception, cfg: Mapping[str, Any]
) -> RuntimeError | None:
    if not isinstance(error, URLError):
        return None
    found = [
        f'\n  {place} = {value!r}'
        for key in ('model', 'load_from')
        for place, value in _addresses(cfg.get(key), key)
    ]
    return RuntimeError(
        f'pretrained weights cannot be downloaded ({error.reason}). Set each '
        'of these that is missing on disk to a local file, or to None for '
        f'random weights (for init_cfg, the whole dict):{"".join(found)}'
    )


def _addresses(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """Dotted names and values of settings that hold a URL."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _addresses(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _addresses(value, f'{place}.{index}')
    elif isinstance(node, str) and '://' in node:
        yield place, node


def _empty_data(
    error: Exception, frames: list[FrameType]
) -> ValueError | None:
    joining = [f for f in frames if f.f_code.co_name == JOINS]
    if not isinstance(error, ValueError) or not joining:
        return None
    dataset = joining[0].f_locals['self']
    if dataset.data_list:
        return None
    settings = ('data_root', 'data_prefix', 'ann_file', 'img_suffix')
    return ValueError(
        f'a {type(dataset).__name__} has no image: check its '
        + ', '.join(f'{k}={getattr(dataset, k, None)!r}' for k in settings)
    )


def _unknown_setting(
    error: Exception, frames: list[FrameType]
) -> TypeError | None:
    match = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if not isinstance(error, TypeError) or match is None:
        return None
    built, given = _what_was_built(frames)
    # If the config does not set it, the fault is in the class itself.
    if built is None or match[1] not in given:
        return None
    owner = re.search(r'(\w+)\.__init__\(\) got', str(error))
    if owner and owner[1] not in {base.__name__ for base in built.__mro__}:
        # It is about something that the class builds, such as a DataLoader.
        return None
    known = settings_of(built)
    if match[1] in known:
        return None
    return TypeError(unknown_setting(built.__name__, match[1], known))


def _unregistered(
    error: Exception, frames: list[FrameType]
) -> KeyError | None:
    if not isinstance(error, KeyError) or UNREGISTERED not in str(error):
        return None
    for frame in reversed(frames):
        kind = frame.f_locals.get('obj_type')
        if frame.f_code.co_name == 'build_from_cfg' and isinstance(kind, str):
            registry = frame.f_locals['registry']
            hint = did_you_mean(kind, registered_names(registry)) or '.'
            return KeyError(
                f'{kind}{UNREGISTERED}{registry.scope}::{registry.name} '
                f'registry{hint} If it is your own, name its module in '
                'custom_imports'
            )
    return None


def _what_was_built(
    frames: list[FrameType],
) -> tuple[type | None, Mapping[str, Any]]:
    """The class that a registry was building, and its settings."""
    found: Any = None
    given: Mapping[str, Any] = {}
    for frame in frames:
        if frame.f_code.co_name == 'build_from_cfg':
            found = frame.f_locals.get('obj_cls', found)
            given = frame.f_locals.get('args', given)
    return (found if inspect.isclass(found) else None), given
