"""Classes that a config names."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

# Kinds of *args and **kwargs.
REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def type_name(node: Any) -> str:
    """Name of the type of a part of a config, without the scope of mmseg."""
    kind = node.get('type', '') if isinstance(node, dict) else ''
    name = kind if isinstance(kind, str) else kind.__name__
    return name.removeprefix('mmseg.')


def class_of(part: Any, registry: Registry) -> Any:
    """Class that a part of a config is built from.

    Args:
        part (dict | object): Config with a ``type``, or a built object.
        registry (Registry): Where names of types are looked up.

    Returns:
        type | None: None if no type is named, or it is not registered.
    """
    if not isinstance(part, Mapping):
        return type(part)
    kind = part.get('type')
    return registry.get(kind) if isinstance(kind, str) else kind


def registered_names(registry: Registry) -> list[str]:
    """Names of the types in a registry, its parents and all their children.

    Args:
        registry (Registry): One in use, so that its modules are imported.
    """
    while registry.parent is not None:
        registry = registry.parent
    names: set[str] = set()
    family = [registry]
    while family:
        member = family.pop()
        names.update(member.module_dict)
        family.extend(member.children.values())
    return sorted(names)


def works_as_one_of(kind: Any, stock: tuple[type, ...]) -> bool:
    """Whether a class does what one of some known classes does.

    Args:
        kind (type | None): Class that a config names.
        stock (tuple[type, ...]): Known classes. A subclass counts if it
            overrides no method but ``__init__``; others may do more.
    """
    return any(
        inspect.isclass(kind)
        and issubclass(kind, base)
        and all(
            getattr(kind, name) is method
            for name, method in vars(base).items()
            if inspect.isfunction(method) and name != '__init__'
        )
        for base in stock
    )


def settings_of(built: type) -> list[str]:
    """Arguments of a class, and of the parents that its kwargs go to."""
    known: dict[str, None] = {}
    for base in built.__mro__:
        init = vars(base).get('__init__')
        if init is None:
            continue
        _, *own = inspect.signature(init).parameters.values()
        kinds = {p.kind for p in own}
        known |= dict.fromkeys(p.name for p in own if p.kind not in REST)
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return list(known)
