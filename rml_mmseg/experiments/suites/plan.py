"""From a suite to its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from rml_mmseg.engine.checks.config import check_options
from rml_mmseg.engine.config_files import read_config

from .digests import merge_options
from .options import check_filled, fill
from .suite_file import check_seeds
from .suite_run import METRIC, SuiteRun


def plan_runs(
    suite: dict, out: Path, seeds: Sequence[int] | None = None
) -> list[SuiteRun]:
    """List all runs of a suite, seed after seed.

    Args:
        suite (dict): Suite from :func:`load_suite`.
        out (Path): Folder of the suite's results.
        seeds (Sequence[int], optional): Seeds to use instead of the suite's.

    Raises:
        ValueError: If an option has an unknown placeholder such as `{sede}`,
            or the seeds are invalid.
    """
    if seeds is not None:
        check_seeds('--seeds', seeds)
    runs = []
    for seed in suite['seeds'] if seeds is None else seeds:
        for name, method in suite['methods'].items():
            for split, config in method['config'].items():
                options = suite['options'] | suite['splits'].get(split, {})
                options = options | method['options']
                options = fill(options, seed=seed, split=split)
                # Only checked with `{cwd}` filled: its path differs elsewhere.
                check_filled(fill(options, cwd='.'))
                options['randomness.seed'] = seed
                runs.append(
                    SuiteRun(
                        method=name,
                        title=method['title'],
                        split=split,
                        seed=seed,
                        config=config,
                        options=options,
                        folder=out / name / split / f'seed_{seed}',
                        checkpoints=suite['checkpoints'],
                        processes=suite['processes'],
                    )
                )
    return runs


def find_targets(runs: Iterable[SuiteRun]) -> list[SuiteRun]:
    """Copy runs with the number of iterations they train for.

    Args:
        runs (Iterable[SuiteRun]): Runs.

    Raises:
        ValueError: If nothing reads an option, or if the best checkpoint is
            to be tested and the config saves none.
    """
    targets: dict[tuple, int | None] = {}
    known = []
    for run in runs:
        # Each config is read only once, as seeds do not matter here.
        key = (run.method, run.split)
        if key not in targets:
            stock = read_config(run.config, imports=False)
            check_options(stock, run.options)
            cfg = merge_options(stock, run.options)
            targets[key] = target_iterations(cfg)
            hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
            if 'best' in run.checkpoints and not hook.get('save_best'):
                raise ValueError(
                    f'{run.name}: to test the best checkpoint, set the '
                    f"option default_hooks.checkpoint.save_best='{METRIC}'"
                )
        known.append(replace(run, target=targets[key]))
    return known


def recorded_seeds(suite: dict, out: Path) -> list[int]:
    """Seeds of a suite and of all its runs in a folder.

    Args:
        suite (dict): Suite from :func:`load_suite`.
        out (Path): Folder of the suite's results.
    """
    seeds = set(suite['seeds'])
    for name in suite['methods']:
        for record in (out / name).glob('**/seed_*/run.json'):
            number = record.parent.name[len('seed_') :]
            # Skip a copy that a user keeps, such as seed_0_old.
            if number.isdecimal():
                seeds.add(int(number))
    return sorted(seeds)


def target_iterations(cfg: Config) -> int | None:
    """Iterations that a config trains for, None if it counts epochs.

    Args:
        cfg (Config): Config.

    Raises:
        ValueError: If its `train_cfg` is not a dict.
    """
    loop = cfg.get('train_cfg') or {}
    if not isinstance(loop, Mapping):
        raise ValueError(f'train_cfg must be a dict, got {loop!r}')
    if 'iters_per_stage' in loop:
        return loop.get('stages', 1) * loop['iters_per_stage']
    return loop.get('max_iters')
