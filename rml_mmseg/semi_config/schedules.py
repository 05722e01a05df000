"""Optimisers and schedules of the students."""

import copy
from typing import Any

from mmengine.config import Config


def student_optimizer(cfg: Config) -> dict[str, Any]:
    """The stock ``optim_wrapper`` as an entry for a student.

    Args:
        cfg (Config): A stock config.
    """
    return dict(copy.deepcopy(dict(cfg.optim_wrapper)))


def student_schedule(cfg: Config, iters: int) -> list[dict[str, Any]]:
    """The stock schedule, stretched to another length.

    Args:
        cfg (Config): A stock config.
        iters (int): Iterations of a stage.

    Returns:
        list[dict]: Schedulers; those that go on to the end of training name
        no end, so that it is the stage's.
    """
    length = cfg.train_cfg.max_iters
    schedulers = []
    for stock in cfg.get('param_scheduler') or ():
        scheduler = copy.deepcopy(dict(stock))
        begin = round(scheduler.get('begin', 0) * iters / length)
        scheduler['begin'] = begin
        end = scheduler.pop('end', length)
        if end < length:
            scheduler['end'] = max(begin + 1, round(end * iters / length))
        schedulers.append(scheduler)
    return schedulers
