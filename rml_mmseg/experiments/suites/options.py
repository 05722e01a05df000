"""Config settings as command-line arguments."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any

from rml_mmseg.engine.config_files import add_cfg_options


def flatten(options: dict, prefix: str = '') -> dict[str, Any]:
    """Flatten nested settings to one dict with dots in its keys.

    Args:
        options (dict): Settings, nested or with dots in the keys.
        prefix (str): Prefix of each key. Defaults to ''.
    """
    flat = {}
    for key, value in options.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def fill(value: Any, **known: Any) -> Any:
    """Replace placeholders such as `{seed}` in all strings of settings.

    Args:
        value: A setting, or a dict, list or tuple of settings.
        known: Value of each placeholder; other placeholders are left as they
            are.
    """
    if isinstance(value, dict):
        return {key: fill(item, **known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(fill(item, **known) for item in value)
    if isinstance(value, str):
        for word, text in known.items():
            value = value.replace(f'{{{word}}}', str(text))
    return value


def check_filled(options: dict[str, Any]) -> None:
    """Refuse settings with an unknown placeholder such as `{sede}`.

    Args:
        options (dict): Values by setting, after :func:`fill`.

    Raises:
        ValueError: If a placeholder is left.
    """
    for key, value in options.items():
        left = re.search(r'\{\w*\}', str(value))
        if isinstance(value, (str, list, tuple)) and left:
            raise ValueError(
                f'option {key}={value!r}: {left.group()} is unknown. Use '
                '{seed}, {split} or {cwd} (the current folder)'
            )


def cfg_options(options: dict[str, Any]) -> list[str]:
    """Convert settings to arguments of `--cfg-options`.

    Args:
        options (dict): Values by setting, with dots in the keys.

    Raises:
        ValueError: If mmengine would read back another value.
    """
    parser = ArgumentParser()
    add_cfg_options(parser)
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
                'without spaces, commas and brackets can. Set it in a config'
            )
        words.append(word)
    return words


def _to_text(value: Any) -> str:
    if isinstance(value, list):
        return f'[{",".join(map(_to_text, value))}]'
    if isinstance(value, tuple):
        return f'({",".join(map(_to_text, value))})'
    return str(value)
