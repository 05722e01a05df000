"""Schedules that start again with every stage."""

import copy
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch.optim import Optimizer


def restart_schedules(runner: Runner, config: Any, length: int) -> None:
    """Put rates, momenta and schedulers back to their start.

    Args:
        runner (Runner): The runner, whose optimisers are built.
        config (dict | list): ``param_scheduler`` of a config.
        length (int): Iterations of a stage.
    """
    for group in all_param_groups(runner.optim_wrapper):
        for name in [key for key in group if key.startswith('initial_')]:
            group[name[len('initial_') :]] = group[name]
        if 'initial_momentum' in group and 'betas' in group:
            # What schedules of the momentum move in Adam.
            first = group['initial_momentum']
            group['betas'] = (first, *group['betas'][1:])
    runner.param_schedulers = runner.build_param_scheduler(
        with_default_end(config, length)
    )


def all_optimizers(optim_wrapper: OptimWrapper) -> list[Optimizer]:
    """The optimisers inside of one wrapper or of several."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return [wrapper.optimizer for wrapper in optim_wrapper.values()]
    return [optim_wrapper.optimizer]


def all_param_groups(optim_wrapper: OptimWrapper) -> list[dict]:
    """Parameter groups of one optimiser or of several."""
    return [
        group
        for optimizer in all_optimizers(optim_wrapper)
        for group in optimizer.param_groups
    ]


def with_default_end(config: Any, end: int) -> Any:
    """A scheduler config whose schedulers end with the stage.

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
