"""Composing a semi-supervised config."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from rml_mmseg.models.utils.learner_names import learner_names
from rml_mmseg.run_length import length_settings

from .data import SemiData, pipeline_of
from .frame import (
    labelled_set,
    make_frame,
    preprocessor,
    segmentor,
    val_interval,
)
from .methods import RML, Method, find_method
from .pipelines import RECOLOURED, image_pipeline, unlabelled_pipeline
from .schedules import student_optimizer, student_schedule
from .stock import classes_of


class SemiPlan(NamedTuple):
    """Length and method of a training.

    Attributes:
        learners (int): Number of learners.
        iters (int): Iterations of a stage.
        stages (int): Number of stages.
        burn_in (int): First iterations, on ground truth alone.
        method (str): Key of ``TITLES``. Defaults to ``'rml'``.
    """

    learners: int
    iters: int
    stages: int
    burn_in: int
    method: str = RML


def compose(
    stocks: Sequence[Config], data: SemiData, plan: SemiPlan
) -> tuple[dict[str, Any], list[str]]:
    """Compose a ``MutualSemiSegmentor`` config from one or two stock configs.

    Args:
        stocks (Sequence[Config]): One stock config for all learners, or one
            for each. The first gives data, pipelines, batch size and hooks.
        data (SemiData): Data to train on.
        plan (SemiPlan): How to train, by a method other than
            ``'supervised'``.

    Returns:
        tuple: The config, and notes for the user.

    Raises:
        ValueError: If the configs do not fit together, or the method has
            another number of learners.
    """
    first = stocks[0]
    method = find_method(plan.method, plan.learners, plan.iters)
    each = [stocks[i % len(stocks)] for i in range(method.learners)]
    score = learner_names(method.learners)
    if method.learners == 1:
        # The mean of a single learner is that learner.
        score = score[:-1]
    config, notes = make_frame(stocks, data, plan.iters, score)
    classes = data.num_classes or classes_of(first.model)
    length = length_settings(plan.iters)
    rectifier = dict(type='PrototypeRectifier', **length.rectifier)
    config['model'] = dict(
        type='MutualSemiSegmentor',
        data_preprocessor=dict(
            preprocessor(first, data), type='SemiSegDataPreProcessor'
        ),
        segmentors=[segmentor(stock, classes, notes) for stock in each],
        rectifier=rectifier if method.rectified else None,
        test_cfg=dict(predict_on=method.predict_on, score=score),
    )
    if method.semi_train_cfg:
        config['model']['semi_train_cfg'] = method.semi_train_cfg
    config['train_dataloader'] = _loader(stocks, data, method, notes)
    config['optim_wrapper'] = dict(
        # mmseg's own train.py requires this type under --amp.
        type='OptimWrapper',
        constructor='MutualOptimWrapperConstructor',
        students=[student_optimizer(stock) for stock in each],
    )
    config['param_scheduler'] = {
        f'students.{i}': student_schedule(stock, plan.iters)
        for i, stock in enumerate(each)
    }
    interval = val_interval(first, config, plan.iters, notes)
    config['train_cfg'] = dict(
        type='StagedTrainLoop',
        stages=plan.stages,
        iters_per_stage=plan.iters,
        burn_in_iters=plan.burn_in,
        val_interval=interval,
    )
    config['custom_hooks'] = [
        *copy.deepcopy(first.get('custom_hooks') or []),
        length.teachers,
        *copy.deepcopy(data.hooks),
    ]
    return config, notes


def _loader(
    stocks: Sequence[Config],
    data: SemiData,
    method: Method,
    notes: list[str],
) -> dict[str, Any]:
    stock = stocks[0]
    loader = copy.deepcopy(dict(stock.train_dataloader))
    train = data.labelled['pipeline']
    strong = data.strong or RECOLOURED
    dataset: dict[str, Any] = dict(
        type='SemiSegDataset',
        labelled=labelled_set(data, stocks),
        unlabelled=dict(
            data.unlabelled,
            pipeline=unlabelled_pipeline(
                train,
                method.num_strong,
                strong if method.recoloured else (),
                method.mixing,
            ),
        ),
    )
    if data.image_pipeline is not None:
        dataset['image_pipeline'] = data.image_pipeline
    elif data.held_out:
        first = next(iter(data.held_out.values()))
        dataset['image_pipeline'] = image_pipeline(first['pipeline'])
    elif stock.get('val_dataloader'):
        tests = pipeline_of(stock, 'val_dataloader')
        dataset['image_pipeline'] = image_pipeline(tests)
    if loader.get('batch_size', 1) == 1:
        dataset['k'] = 2
        notes.append(
            'train_dataloader.batch_size is 1, but CutMix needs two '
            'unlabelled images, so each item has two (dataset.k=2)'
        )
    loader.update(sampler=dict(type='SemiSegSampler'), dataset=dataset)
    return loader
