"""Reading and checking a suite file."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from rml_mmseg.engine.config_files import read_config

from .options import flatten
from .suite_run import TESTS

METHOD_KEYS = {'config', 'options', 'splits', 'title'}
SUITE_KEYS = (
    *('methods', 'baseline', 'seeds', 'options', 'splits', 'checkpoints'),
    'processes',
)


def load_suite(path: str | Path) -> dict:
    """Read and check a suite file, a config of mmengine.

    In the strings of all options, `{seed}` and `{split}` stand for those of
    the run, so that image lists can depend on them, and `{cwd}` for the
    current folder, because mmengine reads relative list paths from
    `data_root`.

    Args:
        path (str | Path): File that sets `methods`, a dict of dicts by name
            with a `config` (a file, or a dict of files by split) and
            optionally `options` (settings of the config to override), a
            `title` for the table and the `splits` it is run on. Optional
            settings of the suite are `seeds` ([0]); `options` for all
            methods; `splits` (a list of names, or a dict of options by
            name), on which methods are run by default; `checkpoints`
            (['last']), which ones are tested: 'last', 'best', the one that
            `default_hooks.checkpoint.save_best` chose, or both;
            `processes` (1) per run; and `baseline`, the method over which
            the others' gain is reported.

    Returns:
        dict: `methods`, `seeds`, `options`, `splits`, `checkpoints`,
        `processes` and `baseline` (None if the file has none); each
        method's `config` is a dict by split, with the split '' if the file
        has none.

    Raises:
        ValueError: If a setting is missing, unknown or invalid.
    """
    cfg = read_config(path, imports=False).to_dict()
    _check_keys(path, cfg)
    methods = cfg.get('methods')
    if not isinstance(methods, dict) or not methods:
        raise ValueError(
            f'{path}: methods must be a dict of methods by name, '
            f'got {methods!r}'
        )
    splits = _checked_splits(path, cfg.get('splits', {}))
    checked = {
        _checked_name(path, name): _checked_method(path, name, method, splits)
        for name, method in methods.items()
    }
    seeds = cfg.get('seeds', [0])
    check_seeds(f'{path}: seeds', seeds)
    checkpoints = cfg.get('checkpoints', ['last'])
    if not checkpoints or not set(checkpoints) <= set(TESTS):
        raise ValueError(
            f'{path}: checkpoints must be a list of {list(TESTS)}, '
            f'got {checkpoints!r}'
        )
    titles = [method['title'] for method in checked.values()]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise ValueError(
            f'{path}: several methods have the title {twice[0]!r}. Give each '
            'its own'
        )
    processes = cfg.get('processes', 1)
    if type(processes) is not int or processes < 1:
        raise ValueError(
            f'{path}: processes must be a whole number, 1 or more, got '
            f'{processes!r}'
        )
    baseline = cfg.get('baseline')
    if baseline is not None and baseline not in checked:
        raise ValueError(
            f'{path}: baseline must be one of the methods, {list(checked)}, '
            f'got {baseline!r}'
        )
    return dict(
        methods=checked,
        baseline=baseline,
        seeds=seeds,
        options=_checked_options(f'{path}: options', cfg.get('options', {})),
        splits=splits,
        checkpoints=tuple(checkpoints),
        processes=processes,
    )


def _checked_splits(path: str | Path, splits: list | dict) -> dict[str, dict]:
    if isinstance(splits, list):
        splits = {name: {} for name in splits}
    if not isinstance(splits, dict) or not all(
        isinstance(options, dict) for options in splits.values()
    ):
        raise ValueError(
            f'{path}: splits must be a list of names or a dict of options '
            f'by name, got {splits!r}'
        )
    return {
        _checked_name(path, name): flatten(options)
        for name, options in splits.items()
    }


def _check_keys(path: str | Path, cfg: dict) -> None:
    """Refuse misspelt settings; other names may be variables of the file."""
    for key in cfg:
        close = difflib.get_close_matches(key, SUITE_KEYS, n=1, cutoff=0.85)
        if close and close[0] not in cfg:
            raise ValueError(
                f'{path} sets {key!r}, which is unknown; did you mean '
                f'{close[0]!r}?'
            )


def check_seeds(name: str, seeds: Any) -> None:
    """Refuse invalid or repeated seeds.

    Args:
        name (str): Name of the seeds in the message.
        seeds (list[int]): Seeds; each names the folder of a run.

    Raises:
        ValueError: If they are not distinct whole numbers of 0 or more.
    """
    listed = isinstance(seeds, (list, tuple)) and len(seeds) > 0
    if not listed or not all(type(n) is int and n >= 0 for n in seeds):
        raise ValueError(
            f'{name} must be a list of whole numbers of 0 or more, got '
            f'{seeds!r}'
        )
    if len({*seeds}) < len(seeds):
        raise ValueError(
            f'{name} must not repeat a seed, as it names the folder of a '
            f'run, got {seeds!r}'
        )


def _checked_options(name: str, options: Any) -> dict[str, Any]:
    if not isinstance(options, dict):
        raise ValueError(
            f'{name} must be a dict of settings of the config, got {options!r}'
        )
    return flatten(options)


def _checked_name(path: str | Path, name: Any) -> str:
    # Names become folders and must differ from those of the seeds.
    text = isinstance(name, str) and not name.startswith('seed_')
    if not text or not re.fullmatch(r'\w[\w.+-]*', name):
        raise ValueError(
            f'{path}: {name!r} is used as a folder name. Use only letters, '
            "digits, '.', '_', '+' and '-', and do not begin with 'seed_'"
        )
    return str(name)


def _checked_method(
    path: str | Path, name: str, method: dict, splits: dict[str, dict]
) -> dict:
    unknown = set(method) - METHOD_KEYS if isinstance(method, dict) else {''}
    if unknown or 'config' not in method:
        raise ValueError(
            f'{path}: methods.{name} must be a dict with config and '
            f'optionally options, splits and title, got {method!r}'
        )
    title = method.get('title', name)
    if not isinstance(title, str):
        raise ValueError(
            f'{path}: methods.{name}.title must be a string, got {title!r}'
        )
    configs = method['config']
    if isinstance(configs, str):
        wanted = method.get('splits', list(splits) or [''])
        if not wanted or not set(wanted) <= {*(splits or [''])}:
            raise ValueError(
                f'{path}: methods.{name}.splits must be among the splits of '
                f'the suite, {list(splits)}, got {wanted!r}'
            )
        configs = dict.fromkeys(wanted, configs)
    elif 'splits' in method:
        raise ValueError(
            f'{path}: methods.{name}.config already names the splits. Remove '
            f'splits, got {method["splits"]!r}'
        )
    if not isinstance(configs, dict) or not configs:
        raise ValueError(
            f'{path}: methods.{name}.config must be a file, or a dict of '
            f'files by split, got {configs!r}'
        )
    for split in filter(None, configs):
        _checked_name(path, split)
    return dict(
        title=title,
        config=configs,
        options=_checked_options(
            f'{path}: methods.{name}.options', method.get('options', {})
        ),
    )
