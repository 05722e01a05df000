"""Errors about a setting that a component does not have."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from traceback import walk_tb
from types import TracebackType
from typing import Any

from rml_mmseg.setting_checks import did_you_mean

# Parameters that stand for others.
REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@contextmanager
def unknown_settings_explained() -> Iterator[None]:
    """Add the nearest known name to errors about an unknown setting.

    Raises:
        TypeError: The one that came, with the class and a hint.
    """
    try:
        yield
    except TypeError as error:
        hint = _explain(error)
        if hint is None:
            raise
        raise TypeError(hint) from error


def _explain(error: TypeError) -> str | None:
    match = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    built, given = _what_was_built(error.__traceback__)
    # What the config does not give is a fault of the class itself.
    if match is None or built is None or match[1] not in given:
        return None
    owner = re.search(r'(\w+)\.__init__\(\) got', str(error))
    if owner and owner[1] not in {base.__name__ for base in built.__mro__}:
        # Of something that the class builds by itself, such as a DataLoader.
        return None
    known = settings_of(built)
    if match[1] in known:
        return None
    return (
        f'{built.__name__} has no setting {match[1]!r}'
        f'{did_you_mean(match[1], known) or "."} Known: {known}'
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


def _what_was_built(
    trace: TracebackType | None,
) -> tuple[type | None, Mapping[str, Any]]:
    """The class that a registry was building, and its settings."""
    found: Any = None
    given: Mapping[str, Any] = {}
    for frame, _ in walk_tb(trace):
        if frame.f_code.co_name == 'build_from_cfg':
            found = frame.f_locals.get('obj_cls', found)
            given = frame.f_locals.get('args', given)
    return (found if inspect.isclass(found) else None), given
