"""From a suite file to its runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from .options import flatten
from .suite_run import SuiteRun

METHOD_KEYS = {'config', 'options', 'title'}


def load_suite(path: str | Path) -> dict:
    """Read and check a suite file, a config of mmengine.

    Args:
        path (str | Path): File that sets `methods`, a dict of dicts by name
            with a `config` (a file, or a dict of files by split) and, where
            wanted, `options` (settings of the config to override) and a
            `title` for the table; and, where wanted, `seeds` ([0]) and
            `options` for all methods.

    Returns:
        dict: `methods`, `seeds` and `options`; each method's `config` is a
        dict by split, with the split '' where the file has none.

    Raises:
        ValueError: If a setting is missing, unknown or of no use.
    """
    cfg = Config.fromfile(path).to_dict()
    methods = cfg.get('methods')
    if not isinstance(methods, dict) or not methods:
        raise ValueError(
            f'{path}: methods must be a dict of methods by name, '
            f'got {methods!r}'
        )
    checked = {
        _checked_name(path, name): _checked_method(path, name, method)
        for name, method in methods.items()
    }
    seeds = cfg.get('seeds', [0])
    if not seeds or not all(type(seed) is int for seed in seeds):
        raise ValueError(
            f'{path}: seeds must be a list of integers, got {seeds!r}'
        )
    return dict(
        methods=checked, seeds=seeds, options=flatten(cfg.get('options', {}))
    )


def _checked_name(path: str | Path, name: str) -> str:
    # Names become folders, and must not be taken for those of the seeds.
    if not re.fullmatch(r'\w[\w.+-]*', name) or name.startswith('seed_'):
        raise ValueError(
            f'{path}: {name!r} names a folder, so it must be made of letters, '
            "digits, '.', '_', '+' and '-', and not begin with 'seed_'"
        )
    return name


def _checked_method(path: str | Path, name: str, method: dict) -> dict:
    unknown = set(method) - METHOD_KEYS if isinstance(method, dict) else {''}
    if unknown or 'config' not in method:
        raise ValueError(
            f'{path}: methods.{name} must be a dict with a config and, where '
            f'wanted, options and a title, got {method!r}'
        )
    configs = method['config']
    if isinstance(configs, str):
        configs = {'': configs}
    for split, config in configs.items():
        if split:
            _checked_name(path, split)
        if not Path(config).is_file():
            raise ValueError(
                f'{path}: methods.{name}.config is {config!r}, and there is '
                f'no such file below {Path.cwd()}'
            )
    return dict(
        title=method.get('title', name),
        config=configs,
        options=flatten(method.get('options', {})),
    )


def plan_runs(
    suite: dict, out: Path, seeds: Sequence[int] | None = None
) -> list[SuiteRun]:
    """All runs of a suite, seed after seed.

    Args:
        suite (dict): Suite of :func:`load_suite`.
        out (Path): Folder of the suite's results.
        seeds (Sequence[int], optional): Seeds instead of the suite's.
    """
    runs = []
    for seed in suite['seeds'] if seeds is None else seeds:
        for name, method in suite['methods'].items():
            options = suite['options'] | method['options']
            options['randomness.seed'] = seed
            for split, config in method['config'].items():
                runs.append(
                    SuiteRun(
                        method=name,
                        title=method['title'],
                        split=split,
                        seed=seed,
                        config=config,
                        options=options,
                        folder=out / name / split / f'seed_{seed}',
                    )
                )
    return runs


def find_targets(runs: Iterable[SuiteRun]) -> list[SuiteRun]:
    """Runs that know how many iterations they train for.

    Args:
        runs (Iterable[SuiteRun]): Runs.
    """
    targets: dict[tuple, int | None] = {}
    known = []
    for run in runs:
        # Each config is read once: the seeds do not matter here.
        key = (run.method, run.split)
        if key not in targets:
            targets[key] = target_iterations(run.config, run.options)
        known.append(replace(run, target=targets[key]))
    return known


def recorded_seeds(suite: dict, out: Path) -> list[int]:
    """Seeds of the suite and of all its runs in a folder.

    Args:
        suite (dict): Suite of :func:`load_suite`.
        out (Path): Folder of the suite's results.
    """
    seeds = set(suite['seeds'])
    for name in suite['methods']:
        for record in (out / name).glob('**/seed_*/run.json'):
            seeds.add(int(record.parent.name[len('seed_') :]))
    return sorted(seeds)


def target_iterations(config: str, options: dict) -> int | None:
    """Iterations that a config trains for, None where it counts epochs.

    Args:
        config (str): Config file.
        options (dict): Settings to override.
    """
    cfg = Config.fromfile(config, import_custom_modules=False)
    cfg.merge_from_dict(options)
    loop = cfg.get('train_cfg') or {}
    if 'iters_per_stage' in loop:
        return loop.get('stages', 1) * loop['iters_per_stage']
    return loop.get('max_iters')
