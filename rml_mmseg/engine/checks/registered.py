"""Classes that a config names."""

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry


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
