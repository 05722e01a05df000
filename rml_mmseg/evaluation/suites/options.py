"""Settings of a config as arguments of a command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from mmengine.config import DictAction


def flatten(options: dict, prefix: str = '') -> dict[str, Any]:
    """Nested settings as one dict with dots in its keys.

    Args:
        options (dict): Settings, nested or with dots in the keys.
        prefix (str): Put before each key. Defaults to nothing.
    """
    flat = {}
    for key, value in options.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def cfg_options(options: dict[str, Any]) -> list[str]:
    """What has to follow `--cfg-options` for some settings.

    Args:
        options (dict): Values by setting, with dots in the keys.

    Raises:
        ValueError: If mmengine would read another value back.
    """
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    words = []
    for key, value in options.items():
        word = f'{key}={_to_text(value)}'
        try:
            read = parser.parse_args(['--cfg-options', word]).cfg_options[key]
        except (AssertionError, SystemExit):
            read = None
        if repr(read) != repr(value):
            raise ValueError(
                f'option {key}={value!r} cannot be given on a command line: '
                'only numbers, booleans, None, lists, tuples and strings '
                'without spaces, commas and brackets can; write a config '
                'that sets it'
            )
        words.append(word)
    return words


def _to_text(value: Any) -> str:
    if isinstance(value, list):
        return f'[{",".join(map(_to_text, value))}]'
    if isinstance(value, tuple):
        return f'({",".join(map(_to_text, value))})'
    return str(value)
