"""The baseline: a stock network on the labelled images alone."""

import copy
from typing import Any

from mmengine.config import Config

from .compose import SemiPlan
from .data import SemiData
from .frame import (
    labelled_set,
    make_frame,
    preprocessor,
    segmentor,
    val_interval,
)
from .schedules import student_schedule
from .stock import classes_of


def compose_supervised(
    stock: Config, data: SemiData, plan: SemiPlan
) -> tuple[dict[str, Any], list[str]]:
    """Make a baseline that trains as long as the other methods.

    The network, its optimiser and its batches are those of the stock config.
    The schedule is stretched over all stages, because without pseudo labels
    nothing begins anew in a second one.

    Args:
        stock (Config): A stock config.
        data (SemiData): Data to train on.
        plan (SemiPlan): How long to train.

    Returns:
        tuple: The config, and notes for the user.
    """
    iters = plan.stages * plan.iters
    config, notes = make_frame([stock], data, plan.iters)
    classes = data.num_classes or classes_of(stock.model)
    config['model'] = dict(
        segmentor(stock, classes, notes),
        data_preprocessor=preprocessor(stock, data),
    )
    config['train_dataloader'] = dict(
        copy.deepcopy(dict(stock.train_dataloader)),
        sampler=dict(type='InfiniteSampler', shuffle=True),
        dataset=labelled_set(data, [stock]),
    )
    config['optim_wrapper'] = copy.deepcopy(stock.optim_wrapper)
    config['param_scheduler'] = student_schedule(stock, iters)
    interval = val_interval(stock, config, plan.iters, notes)
    config['train_cfg'] = dict(
        type='StagedTrainLoop', iters_per_stage=iters, val_interval=interval
    )
    hooks = [*copy.deepcopy(stock.get('custom_hooks') or []), *data.hooks]
    if hooks:
        config['custom_hooks'] = hooks
    return config, notes
