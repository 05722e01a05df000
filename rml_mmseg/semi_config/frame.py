"""Settings that all methods take from the stock configs and the data."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from mmengine.config import Config

from rml_mmseg.engine.checks.registered import type_name

from .data import SemiData, pipeline_of
from .pipelines import with_edges
from .stock import normalisation, set_classes

PACKAGE = 'rml_mmseg'
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


def make_frame(
    stocks: Sequence[Config],
    data: SemiData,
    iters: int,
    score: Optional[list[str]] = None,
) -> tuple[dict[str, Any], list[str]]:
    """Make a config without network, training data, optimiser and loop.

    Args:
        stocks (Sequence[Config]): One or more stock configs; the first gives
            the hooks.
        data (SemiData): Data to train and test on.
        iters (int): Iterations of a stage.
        score (list[str], optional): Learners to score; None for a plain
            segmentor.

    Returns:
        tuple: The config, and notes for the user.

    Raises:
        ValueError: If the stock configs normalise images in different ways.
    """
    first = stocks[0]
    notes = _agree(stocks)
    config = {
        key: copy.deepcopy(first[key])
        for key in KEPT
        if first.get(key) is not None
    }
    config['default_hooks'] = _default_hooks(first, iters, notes)
    config['custom_imports'] = dict(
        imports=_imports(stocks), allow_failed_imports=False
    )
    config['randomness'] = copy.deepcopy(
        first.get('randomness') or dict(seed=0)
    )
    if data.tta_pipeline is not None:
        config['tta_pipeline'] = copy.deepcopy(data.tta_pipeline)
    _set_tests(config, data, score)
    return config, notes


def preprocessor(stock: Config, data: SemiData) -> dict[str, Any]:
    """A stock config's data preprocessor, with the data's crop size."""
    settings = copy.deepcopy(dict(stock.model.data_preprocessor))
    if data.crop_size is not None:
        settings.pop('size_divisor', None)
        settings['size'] = data.crop_size
    return settings


def segmentor(stock: Config, classes: int, notes: list[str]) -> dict[str, Any]:
    """A stock network, without its data preprocessor.

    Args:
        stock (Config): A stock config.
        classes (int): Number of classes K that it is to predict.
        notes (list[str]): List to which notes on changes are added.
    """
    network = copy.deepcopy(dict(stock.model))
    network.pop('data_preprocessor', None)
    notes += [n for n in set_classes(network, classes) if n not in notes]
    return network


def labelled_set(data: SemiData, stocks: Sequence[Config]) -> dict[str, Any]:
    """The labelled data set, with the edge maps that some networks learn."""
    ways = [pipeline_of(stock, 'train_dataloader') for stock in stocks]
    pipeline = with_edges(data.labelled['pipeline'], ways)
    return dict(copy.deepcopy(data.labelled), pipeline=pipeline)


def val_interval(
    stock: Config, config: Mapping[str, Any], iters: int, notes: list[str]
) -> int:
    """Iterations between validations, fewer if the stage is too short.

    Args:
        stock (Config): A stock config.
        config (Mapping): Config that :func:`make_frame` made from it.
        iters (int): Iterations of a stage.
        notes (list[str]): List to which a note on a change is added.
    """
    interval: int = stock.train_cfg.get('val_interval', 1000)
    if not config.get('val_dataloader'):
        return interval
    return _interval('train_cfg.val_interval', interval, iters, notes)


def _agree(stocks: Sequence[Config]) -> list[str]:
    """Check that stock configs agree; note what only the first one gives.

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
            'batch size, length, and data and pipelines if they are not your '
            'own, come from the first stock config; networks, optimisers and '
            'the shape of the schedules come from each'
        )
    return notes


def _interval(setting: str, stock: int, iters: int, notes: list[str]) -> int:
    """A stock config's interval, or a shorter one that suits the stage.

    Args:
        setting (str): Name of the setting, for the note.
        stock (int): Its interval in iterations; 0 or less means never.
        iters (int): Iterations of a stage.
        notes (list[str]): List to which a note on a change is added.

    Returns:
        int: The stock interval if it divides the stage or is at most a tenth
        of it, else a tenth of the stage.
    """
    tenth = max(iters // 10, 1)
    if stock <= tenth or iters % stock == 0:
        return stock
    notes.append(
        f'{setting} is {tenth} instead of {stock}, which does not divide a '
        f'stage of {iters} iterations'
    )
    return tenth


def _default_hooks(
    stock: Config, iters: int, notes: list[str]
) -> dict[str, Any]:
    """A stock config's hooks, with checkpoints that survive interruptions."""
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
        # The checkpoint of a pair holds four networks and two optimisers.
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


def _set_tests(
    config: dict[str, Any], data: SemiData, score: Optional[list[str]]
) -> None:
    """Score all learners in one pass; drop loops without images."""
    for part in ('val', 'test'):
        if data.held_out is not None and part not in data.held_out:
            for key in ('dataloader', 'cfg', 'evaluator'):
                config[f'{part}_{key}'] = None
        if not config.get(f'{part}_dataloader'):
            continue
        key = f'{part}_evaluator'
        if data.held_out is not None:
            images = copy.deepcopy(data.held_out[part])
            config[f'{part}_dataloader']['dataset'] = images
            config[key] = dict(type='IoUMetric', iou_metrics=['mIoU'])
        if score is not None:
            config[key] = _scored(config[key], score)


def _scored(evaluator: Any, score: list[str]) -> Any:
    if isinstance(evaluator, (list, tuple)):
        return [_scored(item, score) for item in evaluator]
    if type_name(evaluator) != 'IoUMetric':
        return evaluator
    return dict(evaluator, type='LearnersIoUMetric', learners=score)
