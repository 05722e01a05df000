"""Optimisers and schedules of the students."""

import copy
from typing import Any

from mmengine.config import Config

from rml_mmseg.engine.checks.registered import type_name

from .stock import training_length

LENGTHS = ('T_max', 'milestones', 'periods', 'step_size', 'total_steps')
"""Settings of schedulers in iterations, beside their begin and end."""


def student_optimizer(cfg: Config) -> dict[str, Any]:
    """The stock ``optim_wrapper`` as an entry for a student.

    Args:
        cfg (Config): A stock config.

    Returns:
        dict: The entry, without the type if it is the default, so that a
        common type, such as for mixed precision, can be set for all students.
    """
    entry = dict(copy.deepcopy(dict(cfg.optim_wrapper)))
    if type_name(entry) == 'OptimWrapper':
        del entry['type']
    return entry


def student_schedule(cfg: Config, iters: int) -> list[dict[str, Any]]:
    """The stock schedule, stretched to another length.

    Args:
        cfg (Config): A stock config.
        iters (int): Iterations of a stage.

    Returns:
        list[dict]: Schedulers; those that last to the end of training have
        no ``end``, so that they end with the stage.
    """
    length: Any = training_length(cfg)
    schedulers = []
    for stock in cfg.get('param_scheduler') or ():
        scheduler = copy.deepcopy(dict(stock))
        begin = round(scheduler.get('begin', 0) * iters / length)
        scheduler['begin'] = begin
        end = scheduler.pop('end', length)
        if end < length:
            scheduler['end'] = max(begin + 1, round(end * iters / length))
        for key in LENGTHS:
            if scheduler.get(key) is not None:
                scheduler[key] = _stretched(scheduler[key], iters / length)
        schedulers.append(scheduler)
    return schedulers


def _stretched(value: Any, factor: float) -> Any:
    """Multiply iterations, one number or several, by a factor."""
    if isinstance(value, (list, tuple)):
        return [_stretched(item, factor) for item in value]
    return max(1, round(value * factor))
