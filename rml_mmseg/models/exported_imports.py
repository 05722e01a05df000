"""The ``custom_imports`` that an exported config needs."""

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from mmengine.config import Config
from mmseg import registry

PACKAGE = 'rml_mmseg'
REGISTRIES = (
    registry.MODELS,
    registry.DATASETS,
    registry.TRANSFORMS,
    registry.METRICS,
    registry.HOOKS,
    registry.LOOPS,
    registry.DATA_SAMPLERS,
    registry.VISUALIZERS,
)


def plugin_types(node: Any) -> list[str]:
    """Sorted names of this package's classes that a config uses.

    Args:
        node: Any part of a config.
    """
    return sorted({name for name, home in _homes(node) if home == PACKAGE})


def needed_imports(cfg: Config, plain: Mapping) -> list[str]:
    """Modules that an exported config must import.

    The user's modules stay, except those that use this package and define
    no class of the exported config. This package is imported only for one
    of its classes or a remaining user module that uses it. Otherwise
    ``mmpretrain.models``, which this package imports, is added if used.

    Args:
        cfg (Config): Config of the training.
        plain (dict): Config exported from it.
    """
    imports = (cfg.get('custom_imports') or {}).get('imports', [])
    imports = [imports] if isinstance(imports, str) else list(imports)
    own = [name for name in imports if _top(name) != PACKAGE]
    built_on_ours = {name for name in own if _uses_package(name)}
    homes = {home for _, home in _homes(plain)}
    kept = [
        name
        for name in own
        if name not in built_on_ours or _top(name) in homes
    ]
    if PACKAGE in homes or built_on_ours & set(kept):
        return [PACKAGE, *kept]
    foreign = any(name.startswith('mmpretrain.') for name in _types(plain))
    if foreign and not any(name.startswith('mmpretrain') for name in kept):
        kept.append('mmpretrain.models')
    return kept


def _types(node: Any) -> Iterator[str]:
    """Yield the name of every type in a config, without ``mmseg.``."""
    if isinstance(node, Mapping):
        kind = node.get('type')
        if kind is not None:
            name = kind if isinstance(kind, str) else kind.__name__
            yield name.removeprefix('mmseg.')
        for value in node.values():
            yield from _types(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _types(value)


def _homes(node: Any) -> set[tuple[str, str]]:
    """Registered classes that a config uses, with their packages."""
    names = set(_types(node))
    return {
        (name, _top(kind.__module__))
        for group in REGISTRIES
        for name, kind in group.module_dict.items()
        if name in names
    }


def _top(name: str) -> str:
    """Top-level package of a module name."""
    return name.split('.')[0]


def _uses_package(name: str) -> bool:
    """Whether a user module's package imports anything from this one."""
    values = [
        value
        for key, module in list(sys.modules.items())
        if _top(key) == _top(name) and isinstance(module, ModuleType)
        for value in list(vars(module).values())
    ]
    return any(_top(_home(value)) == PACKAGE for value in values)


def _home(value: Any) -> str:
    """Module that a value is, or was defined in; '' if unknown."""
    attribute = '__name__' if isinstance(value, ModuleType) else '__module__'
    found = getattr(value, attribute, None)
    return found if isinstance(found, str) else ''
