"""Reading and overriding configs, with errors that name the place."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.config.config import BASE_KEY

# Functions of mmengine that read the config file `filename`.
READERS = ('_file2dict', '_is_lazy_import')
# Errors that mmengine raises for an override that does not fit.
MISFITS = (AttributeError, KeyError, TypeError)


class OptionsAction(DictAction):
    """Reads ``--cfg-options KEY=VALUE ...`` into a dict."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the options; one without ``=`` ends the program."""
        for value in values:
            if '=' not in value:
                parser.error(
                    f"{option_string}: {value!r} has no '='; expected "
                    'KEY=VALUE'
                )
        super().__call__(parser, namespace, values, option_string)


def add_cfg_options(
    parser: ArgumentParser,
    text: str = 'settings of the config to override, as key=value',
) -> None:
    """Add ``--cfg-options``, which a tool passes on to :func:`override`.

    Args:
        parser (ArgumentParser): Parser to add it to.
        text (str): Help. Defaults to one in general words.
    """
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionsAction, help=text
    )


def read_config(path: str | Path, imports: bool = True) -> Config:
    """Read a config with its bases.

    Args:
        path (str | Path): Config file.
        imports (bool): Whether to import its `custom_imports`. Defaults to
            True.

    Raises:
        ValueError: If it cannot be read, or imports something that is not
            installed; names the file and, in the former case, a known line.
    """
    try:
        return Config.fromfile(path, import_custom_modules=imports)
    except ImportError as error:
        raise ValueError(
            f'{path} imports a module that is not installed: '
            f'{error.__cause__ or error}. Install your own module, or put '
            'PYTHONPATH=ITS_FOLDER before each command'
        ) from error
    except Exception as error:
        # A config is a program and can raise anything.
        text = error.args[0] if isinstance(error, KeyError) else error
        if isinstance(error, SyntaxError):
            text = error.msg
        raise ValueError(
            f'{path} cannot be read as a config: '
            f'{type(error).__name__}: {text}{_place(error)}'
        ) from error


def override(
    cfg: Config, options: Mapping[str, Any], source: str = '--cfg-options'
) -> None:
    """Override settings of a config, in place.

    Args:
        cfg (Config): Config to change.
        options (Mapping): Values by the setting's dotted name.
        source (str): Where they come from, for errors. Defaults to
            '--cfg-options'.

    Raises:
        ValueError: If one does not fit the config; names it.
    """
    for key, value in options.items():
        try:
            cfg.merge_from_dict({key: value})
        except MISFITS as error:
            why = _misfit(cfg, key.split('.')) or (
                'a list item can only be overridden if it and the new value '
                'are dicts; set the whole list'
                if isinstance(error, AttributeError)
                else error.args[0]
            )
            raise ValueError(
                f'{source} {key}={value!r} does not fit the config: {why}'
            ) from error


def _place(error: Exception) -> str:
    """Which file of a config failed, and its line if known."""
    frames = list(walk_tb(error.__traceback__))
    for frame, line in reversed(frames):
        if frame.f_code.co_name == '<module>' and BASE_KEY in frame.f_globals:
            return f' ({frame.f_code.co_filename}, line {line})'
    for frame, _ in reversed(frames):
        if frame.f_code.co_name in READERS:
            number = getattr(error, 'lineno', None)
            end = f', line {number}' if number else ''
            return f' ({frame.f_locals["filename"]}{end})'
    return ''


def _misfit(cfg: Any, parts: Sequence[str]) -> str | None:
    """Say where a dotted name leads out of a config, None if it does not."""
    node = cfg
    for index, part in enumerate(parts):
        name = '.'.join(parts[:index])
        if isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                return (
                    f'{name} is a list of {len(node)} items, numbered from '
                    f'0, and has no {part!r}'
                )
            node = node[int(part)]
        elif index and not isinstance(node, Mapping):
            return f'{name} is {node!r}, which has no {part!r}'
        else:
            node = node.get(part)
    return None
