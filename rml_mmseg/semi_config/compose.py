"""Putting a semi-supervised config together."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from rml_mmseg.models.utils.settings import ENSEMBLE

from .data import SemiData, pipeline_of
from .pipelines import image_pipeline, unlabelled_pipeline
from .schedules import student_optimizer, student_schedule
from .stock import classes_of, normalisation, set_classes, type_name

PACKAGE = 'rml_mmseg'
LONG_RUN = 20000
KEPT = (
    'default_scope',
    'env_cfg',
    'visualizer',
    'log_processor',
    'log_level',
    'auto_scale_lr',
    'model_wrapper_cfg',
    'find_unused_parameters',
    'val_dataloader',
    'val_cfg',
    'val_evaluator',
    'test_dataloader',
    'test_cfg',
    'test_evaluator',
    'tta_model',
    'tta_pipeline',
)
"""Settings that stay as the first stock config has them."""


class SemiPlan(NamedTuple):
    """How long and in what way to train.

    Attributes:
        learners (int): Number of learners.
        iters (int): Iterations of a stage.
        stages (int): Number of stages.
        burn_in (int): First iterations on labels alone.
    """

    learners: int
    iters: int
    stages: int
    burn_in: int


def compose(
    stocks: Sequence[Config], data: SemiData, plan: SemiPlan
) -> tuple[dict[str, Any], list[str]]:
    """One config of the wrapper out of one or two stock configs.

    Args:
        stocks (Sequence[Config]): One for all learners, or one for each.
            The first gives data, pipelines, batch size and hooks.
        data (SemiData): What to train on.
        plan (SemiPlan): How to train.

    Returns:
        tuple: The config, and what the user should know about it.

    Raises:
        ValueError: If the configs do not fit together.
    """
    first = stocks[0]
    notes = _agree(stocks)
    each = [stocks[i % len(stocks)] for i in range(plan.learners)]
    classes = data.num_classes or classes_of(first.model)
    names = [
        f'{group}.{i}'
        for group in ('students', 'teachers')
        for i in range(plan.learners)
    ]
    score = [*names, ENSEMBLE] if plan.learners > 1 else names
    config = {
        key: copy.deepcopy(first[key])
        for key in KEPT
        if first.get(key) is not None
    }
    config['default_hooks'] = _default_hooks(first, plan.iters, notes)
    config['custom_imports'] = dict(
        imports=_imports(stocks), allow_failed_imports=False
    )
    config['randomness'] = copy.deepcopy(
        first.get('randomness') or dict(seed=0)
    )
    long = plan.iters >= LONG_RUN
    rectifier = dict(
        type='PrototypeRectifier', momentum=0.9999 if long else 0.95
    )
    config['model'] = dict(
        type='MutualSemiSegmentor',
        data_preprocessor=dict(
            copy.deepcopy(first.model.data_preprocessor),
            type='SemiSegDataPreProcessor',
        ),
        segmentors=[_segmentor(stock, classes, notes) for stock in each],
        rectifier=rectifier if plan.learners > 1 else None,
        test_cfg=dict(predict_on='teachers.0', score=score),
    )
    if data.crop_size is not None:
        config['model']['data_preprocessor'].pop('size_divisor', None)
        config['model']['data_preprocessor']['size'] = data.crop_size
    if data.tta_pipeline is not None:
        config['tta_pipeline'] = copy.deepcopy(data.tta_pipeline)
    config['train_dataloader'] = _loader(first, data, plan, notes)
    _validate(config, data, score)
    config['optim_wrapper'] = dict(
        constructor='MutualOptimWrapperConstructor',
        students=[student_optimizer(stock) for stock in each],
    )
    config['param_scheduler'] = {
        f'students.{i}': student_schedule(stock, plan.iters)
        for i, stock in enumerate(each)
    }
    interval = first.train_cfg.get('val_interval', 1000)
    if config.get('val_dataloader'):
        interval = _interval(
            'train_cfg.val_interval', interval, plan.iters, notes
        )
    config['train_cfg'] = dict(
        type='StagedTrainLoop',
        stages=plan.stages,
        iters_per_stage=plan.iters,
        burn_in_iters=plan.burn_in,
        val_interval=interval,
    )
    config['custom_hooks'] = [
        *copy.deepcopy(first.get('custom_hooks') or []),
        # Teachers of a short run must follow faster.
        dict(type='MutualEMAHook', momentum=0.999, warm_up=True)
        if long
        else dict(type='MutualEMAHook', momentum=0.99),
    ]
    return config, notes


def _agree(stocks: Sequence[Config]) -> list[str]:
    """What is taken from the first alone.

    Raises:
        ValueError: If images are normalised in different ways.
    """
    notes = []
    ways = [normalisation(stock) for stock in stocks]
    if any(way != ways[0] for way in ways):
        raise ValueError(
            'all learners see the same images, but model.data_preprocessor '
            f'differs: {ways}. Take two stock configs that normalise alike, '
            'or the same one for both learners'
        )
    if len(stocks) > 1:
        notes.append(
            'batch size and length, and data and pipelines where they are '
            'not your own, are those of the first stock config; networks, '
            'optimisers and the shape of the schedules are of each'
        )
    return notes


def _interval(setting: str, stock: int, iters: int, notes: list[str]) -> int:
    """A stock config's interval, or one that a shorter stage has room for.

    Args:
        setting (str): Its name, for the note.
        stock (int): Iterations; 0 or less is never.
        iters (int): Iterations of a stage.
        notes (list[str]): Where a change is noted.

    Returns:
        int: The stock one where it divides the stage or is a tenth of it at
        most, else a tenth of it.
    """
    tenth = max(iters // 10, 1)
    if stock <= tenth or iters % stock == 0:
        return stock
    notes.append(
        f'{setting} is {tenth} in place of {stock}, which does not divide a '
        f'stage of {iters} iterations'
    )
    return tenth


def _default_hooks(
    stock: Config, iters: int, notes: list[str]
) -> dict[str, Any]:
    """A stock config's hooks, with checkpoints that outlive interruptions."""
    hooks = copy.deepcopy(dict(stock.get('default_hooks') or {}))
    if type_name(hooks.get('checkpoint')) == 'CheckpointHook':
        saves = hooks['checkpoint']
        saves['type'] = 'AtomicCheckpointHook'
        tenth = max(iters // 10, 1)
        saves['interval'] = _interval(
            'default_hooks.checkpoint.interval',
            saves.get('interval', tenth),
            iters,
            notes,
        )
        # A pair is four networks and two optimisers.
        saves.setdefault('max_keep_ckpts', 2)
    hooks.setdefault('interruption', dict(type='InterruptionHook'))
    return hooks


def _imports(stocks: Sequence[Config]) -> list[str]:
    imports = [PACKAGE]
    for stock in stocks:
        found = (stock.get('custom_imports') or {}).get('imports', [])
        found = [found] if isinstance(found, str) else found
        imports += [name for name in found if name not in imports]
    return imports


def _segmentor(
    stock: Config, classes: int, notes: list[str]
) -> dict[str, Any]:
    segmentor = copy.deepcopy(dict(stock.model))
    segmentor.pop('data_preprocessor', None)
    notes += [n for n in set_classes(segmentor, classes) if n not in notes]
    return segmentor


def _loader(
    stock: Config, data: SemiData, plan: SemiPlan, notes: list[str]
) -> dict[str, Any]:
    loader = copy.deepcopy(dict(stock.train_dataloader))
    train = data.labelled['pipeline']
    dataset: dict[str, Any] = dict(
        type='SemiSegDataset',
        labelled=data.labelled,
        unlabelled=dict(
            data.unlabelled,
            pipeline=unlabelled_pipeline(train, plan.learners),
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
            'train_dataloader.batch_size is 1, so an item has two unlabelled '
            'images (dataset.k=2), as CutMix needs two'
        )
    loader.update(sampler=dict(type='SemiSegSampler'), dataset=dataset)
    return loader


def _validate(config: dict[str, Any], data: SemiData, score: list) -> None:
    """Score all learners in one pass; drop what has no images."""
    for part in ('val', 'test'):
        if data.held_out is not None and part not in data.held_out:
            for key in ('dataloader', 'cfg', 'evaluator'):
                config[f'{part}_{key}'] = None
        if not config.get(f'{part}_dataloader'):
            continue
        key = f'{part}_evaluator'
        if data.held_out is not None:
            config[f'{part}_dataloader']['dataset'] = data.held_out[part]
            config[key] = dict(type='IoUMetric', iou_metrics=['mIoU'])
        config[key] = _scored(config[key], score)


def _scored(evaluator: Any, score: list) -> Any:
    if isinstance(evaluator, (list, tuple)):
        return [_scored(item, score) for item in evaluator]
    if type_name(evaluator) != 'IoUMetric':
        return evaluator
    return dict(evaluator, type='LearnersIoUMetric', learners=score)
