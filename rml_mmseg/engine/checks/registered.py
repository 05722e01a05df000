"""Classes that a config names."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

# Parameters that stand for others.
REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def type_name(node: Any) -> str:
    """The type of a part of a config, without its scope."""
    kind = node.get('type', '') if isinstance(node, dict) else ''
    name = kind if isinstance(kind, str) else kind.__name__
    return name.removeprefix('mmseg.')


def class_of(part: Any, registry: Registry) -> Any:
    """Class that a part of a config is built from.

    Args:
        part (dict | object): With a ``type``, or built already.
        registry (Registry): Where names of types are looked up.

    Returns:
        type | None: None where none is named, or none registered.
    """
    if not isinstance(part, Mapping):
        return type(part)
    kind = part.get('type')
    return registry.get(kind) if isinstance(kind, str) else kind


def works_as_one_of(kind: Any, stock: tuple[type, ...]) -> bool:
    """Whether a class is one of these, but for its name and arguments.

    Args:
        kind (type | None): One that a config names.
        stock (tuple[type, ...]): Classes. Their children, where a method is
            another one, may do what they do not.
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
    """What a class can be built with, by it or what it hands kwargs to."""
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
