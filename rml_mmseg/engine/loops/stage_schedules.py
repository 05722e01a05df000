"""Schedules that restart with every stage."""

import copy
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import PARAM_SCHEDULERS
from torch.optim import Optimizer

from rml_mmseg.setting_checks import check_choice

from ..checks.registered import class_of
from ..unwrap import unwrap


def restart_schedules(runner: Runner, config: Any, length: int) -> None:
    """Reset learning rates, momenta and schedulers to their start.

    Args:
        runner (Runner): The runner, whose optimisers are built.
        config (dict | list): ``param_scheduler`` of a config.
        length (int): Iterations of a stage.
    """
    for group in all_param_groups(runner.optim_wrapper):
        for name in [key for key in group if key.startswith('initial_')]:
            group[name.removeprefix('initial_')] = group[name]
        if 'initial_momentum' in group and 'betas' in group:
            # Adam has its first beta where others have a momentum.
            first = group['initial_momentum']
            group['betas'] = (first, *group['betas'][1:])
    runner.param_schedulers = runner.build_param_scheduler(
        with_default_end(config, length)
    )


def _wrappers(optim_wrapper: OptimWrapper) -> list[OptimWrapper]:
    """The wrapper itself, or all wrappers of an ``OptimWrapperDict``."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return list(optim_wrapper.values())
    return [optim_wrapper]


def all_optimizers(optim_wrapper: OptimWrapper) -> list[Optimizer]:
    """The optimisers inside one wrapper or several."""
    return [wrapper.optimizer for wrapper in _wrappers(optim_wrapper)]


def all_param_groups(optim_wrapper: OptimWrapper) -> list[dict]:
    """Parameter groups of one optimiser or several.

    These include the settings that mmengine schedules and logs as
    ``base_lr``.
    """
    groups: list[dict] = []
    for wrapper in _wrappers(optim_wrapper):
        groups += wrapper.optimizer.param_groups
        # mmengine has them since 0.10.
        base = getattr(wrapper, 'base_param_settings', None)
        groups += [] if base is None else [base]
    return groups


def with_default_end(config: Any, end: int) -> Any:
    """A scheduler config whose schedulers by default end with the stage.

    Args:
        config (dict | list): ``param_scheduler`` of a config: one
            scheduler, a list, or a dict of these by optimiser.
        end (int): Iterations of a stage.
    """
    if isinstance(config, (list, tuple)):
        return [with_default_end(item, end) for item in config]
    config = copy.deepcopy(dict(config))
    if 'type' not in config:
        return {key: with_default_end(v, end) for key, v in config.items()}
    if not config.get('by_epoch', True):
        config.setdefault('end', end)
    return config


def check_schedules(config: Any, length: int) -> None:
    """Refuse schedules that a stage cannot step.

    Args:
        config (dict | list, optional): ``param_scheduler`` of a config.
        length (int): Iterations of a stage.

    Raises:
        ValueError: If a scheduler counts epochs, is already built, or does
            not begin before it ends.
    """
    for item in _schedulers(config):
        if not isinstance(item, Mapping):
            raise ValueError(
                f'param_scheduler has a built {type(item).__name__}, which '
                'cannot restart with each stage: set its config instead'
            )
        kind = item.get('type')
        if getattr(class_of(item, PARAM_SCHEDULERS), 'need_val_args', False):
            # Validations step it, whatever it counts.
            continue
        if item.get('by_epoch', True):
            raise ValueError(
                f'param_scheduler has a {kind} with by_epoch=True (the '
                'default), which never steps in '
                "train_cfg.type='StagedTrainLoop': set by_epoch=False"
            )
        first, last = item.get('begin', 0), item.get('end', length)
        if first >= last:
            raise ValueError(
                f'the {kind} of param_scheduler runs from iteration {first} '
                f'to {last}, but train_cfg.iters_per_stage={length}: lower '
                'its begin and the end of the schedule before it, or make '
                'the stage longer'
            )
        if last > length:
            print_log(
                f'the {kind} of param_scheduler runs to iteration {last}, '
                f'but train_cfg.iters_per_stage={length}: it is cut off at '
                'the end of the stage',
                logger='current',
                level=logging.WARNING,
            )


def check_optimizers(runner: Runner) -> None:
    """Refuse a dict of schedules that does not match the optimisers.

    Args:
        runner (Runner): The runner. Optimisers of a custom constructor are
            not known before they are built, and not checked.

    Raises:
        ValueError: If a schedule is missing, or its optimiser is.
    """
    config, optim_wrapper = runner.param_schedulers, runner.optim_wrapper
    if not isinstance(config, Mapping) or 'type' in config:
        return
    names: list[str] = []
    if isinstance(optim_wrapper, Mapping):
        kind = optim_wrapper.get('constructor')
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
        if name == 'MutualOptimWrapperConstructor':
            students = getattr(unwrap(runner.model), 'students', ())
            names = [f'students.{i}' for i in range(len(students))]
        elif kind is not None or 'optimizer' not in optim_wrapper:
            return
    elif isinstance(optim_wrapper, OptimWrapperDict):
        names = list(optim_wrapper.keys())
    if not names:
        raise ValueError(
            f'param_scheduler is a dict of {list(config)}, but there is only '
            'one optimiser: use a list of schedulers, or set '
            "optim_wrapper.constructor='MutualOptimWrapperConstructor'"
        )
    for key in config:
        check_choice('a key of param_scheduler', key, names)
    missing = [name for name in names if name not in config]
    if missing:
        raise ValueError(
            f'param_scheduler has no entry for {missing}: give each of '
            f'{names} a list of schedulers, which may be empty'
        )


def _schedulers(config: Any) -> Iterator[Any]:
    if isinstance(config, Mapping):
        if 'type' in config:
            yield config
        else:
            for part in config.values():
                yield from _schedulers(part)
    elif isinstance(config, (list, tuple)):
        for part in config:
            yield from _schedulers(part)
    elif config is not None:
        yield config
