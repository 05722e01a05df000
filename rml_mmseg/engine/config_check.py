"""Faults of a config that would only show long after a run has begun."""

from __future__ import annotations

import difflib
import inspect
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from rml_mmseg.models.utils.settings import (
    check_choice,
    did_you_mean,
    learner_names,
)
from rml_mmseg.semi_config.stock import type_name

KNOWN = [
    *inspect.signature(Runner.__init__).parameters,
    *('custom_imports', 'tta_model', 'runner_type', 'auto_scale_lr'),
]
SHARDED = 'FlexibleRunner'
STOCK_SAMPLERS = ('InfiniteSampler', 'DefaultSampler')
# Parameters that stand for others.
REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_config(cfg: Mapping[str, Any]) -> None:
    """Refuse a config that cannot train as it says.

    Args:
        cfg (Mapping): Whole config of a run.

    Raises:
        ValueError: Naming the setting, what it is, and what would be right.
    """
    _check_names(cfg)
    for key in ('model', 'train_cfg'):
        if not isinstance(cfg.get(key) or {}, Mapping):
            raise ValueError(f'{key} must be a dict, got {cfg[key]!r}')
    model = cfg.get('model') or {}
    if type_name(model) != 'MutualSemiSegmentor' or not cfg.get('train_cfg'):
        return
    if cfg.get('runner_type') == SHARDED:
        raise ValueError(sharded_message())
    _check_loop(cfg['train_cfg'])
    _check_sampler(cfg.get('train_dataloader'))
    _check_hooks(cfg)
    _check_learners(cfg, model)


def sharded_message() -> str:
    """Why a runner that shards models cannot be used."""
    return (
        f'runner_type={SHARDED!r} is not supported: FSDP and DeepSpeed split '
        'parameters over processes, and teachers follow whole students. '
        'Take runner_type out, and train with DDP (tools/dist_train.sh)'
    )


def _check_names(cfg: Mapping[str, Any]) -> None:
    """Find settings of the top level that are misspelt, and so unheard."""
    for key in cfg:
        if key in KNOWN:
            continue
        close = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.85)
        if not close:
            continue
        text = (
            f'the config sets {key!r}, which nothing reads; did you mean '
            f'{close[0]!r}?'
        )
        if close[0] not in cfg:
            raise ValueError(text)
        # It may be a variable of the config.
        print_log(text, logger='current', level=logging.WARNING)


def _check_loop(train_cfg: Mapping[str, Any]) -> None:
    kind = type_name(train_cfg)
    epochs = 'max_epochs' in train_cfg or train_cfg.get('by_epoch')
    if epochs or kind == 'EpochBasedTrainLoop':
        raise ValueError(
            f'train_cfg={dict(train_cfg)} counts epochs, and SemiSegSampler '
            "draws without end: set train_cfg=dict(type='StagedTrainLoop', "
            'iters_per_stage=...)'
        )


def _check_sampler(loader: Any) -> None:
    """Refuse a sampler that draws numbers in the place of pairs."""
    if not isinstance(loader, Mapping):
        return
    dataset, sampler = loader.get('dataset'), loader.get('sampler')
    if not isinstance(dataset, Mapping) or not isinstance(sampler, Mapping):
        return
    kinds = type_name(dataset), type_name(sampler)
    if kinds[0] == 'SemiSegDataset' and kinds[1] in STOCK_SAMPLERS:
        raise ValueError(
            f'train_dataloader.sampler is {kinds[1]}, with which each '
            'unlabelled image always has the same labelled one beside it: '
            "set sampler=dict(type='SemiSegSampler')"
        )


def _check_hooks(cfg: Mapping[str, Any]) -> None:
    """Exactly one hook must move the teachers."""
    hooks = [
        *(cfg.get('custom_hooks') or []),
        *(h for h in (cfg.get('default_hooks') or {}).values() if h),
    ]
    # The hook's own module needs this one.
    moving = HOOKS.get('MutualEMAHook')
    kinds = [_class_of(hook) for hook in hooks]
    found = [k for k in kinds if inspect.isclass(k) and issubclass(k, moving)]
    if not found:
        names = [type_name(hook) for hook in cfg.get('custom_hooks') or []]
        raise ValueError(
            f'custom_hooks has {names}, so that the teachers would never '
            "move: add dict(type='MutualEMAHook')"
        )
    if len(found) > 1:
        names = [kind.__name__ for kind in found]
        raise ValueError(
            f'custom_hooks and default_hooks have {names}, so that the '
            'teachers would move more than once in a step: keep one'
        )


def _class_of(hook: Any) -> Any:
    """Class of a hook or of its config, None where it is not registered."""
    if not isinstance(hook, Mapping):
        return type(hook)
    kind = hook.get('type')
    return HOOKS.get(kind) if isinstance(kind, str) else kind


def _check_learners(cfg: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Learners that are scored must predict, and those must exist."""
    segmentors = model.get('segmentors')
    if segmentors is None:
        return
    count = 1 if isinstance(segmentors, Mapping) else len(segmentors)
    names = learner_names(count)
    scored = (model.get('test_cfg') or {}).get('score') or []
    evaluators = cfg.get('val_evaluator') or []
    if isinstance(evaluators, Mapping):
        evaluators = [evaluators]
    for evaluator in evaluators:
        learners = evaluator.get('learners') or []
        if not isinstance(learners, (list, tuple)):
            raise ValueError(
                f'val_evaluator.learners must be a list of names, got '
                f'{learners!r}'
            )
        for name in learners:
            check_choice('val_evaluator.learners', name, names)
            if name not in scored:
                raise ValueError(
                    f'val_evaluator.learners has {name!r}, which does not '
                    'predict: add it to model.test_cfg.score, which is '
                    f'{list(scored)}'
                )


def check_schedules(config: Any, length: int) -> None:
    """Refuse schedules that a stage does not step.

    Args:
        config (dict | list, optional): ``param_scheduler`` of a config.
        length (int): Iterations of a stage.

    Raises:
        ValueError: If a scheduler counts epochs, or is built already.
    """
    for item in _schedulers(config):
        if not isinstance(item, Mapping):
            raise ValueError(
                f'param_scheduler has a built {type(item).__name__}, which '
                'cannot start again with a stage: give its config'
            )
        kind = item.get('type')
        if item.get('by_epoch', True):
            raise ValueError(
                f'param_scheduler has a {kind} with by_epoch=True, which is '
                'the default and never steps in train_cfg.type='
                "'StagedTrainLoop': set by_epoch=False"
            )
        last = item.get('end', item.get('begin', 0))
        if isinstance(last, int) and last > length:
            print_log(
                f'the {kind} of param_scheduler goes to iteration {last}, and '
                f'a stage has train_cfg.iters_per_stage={length}: it is cut '
                'off',
                logger='current',
                level=logging.WARNING,
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


@contextmanager
def unknown_settings_explained() -> Iterator[None]:
    """Add the nearest known name to errors about an unknown setting.

    Raises:
        TypeError: The one that came, with the class and a hint.
    """
    try:
        yield
    except TypeError as error:
        hint = _explain(error)
        if hint is None:
            raise
        raise TypeError(hint) from error


def _explain(error: TypeError) -> str | None:
    match = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    built = _class_that_was_built(error.__traceback__)
    if match is None or built is None:
        return None
    owner = re.search(r'(\w+)\.__init__\(\) got', str(error))
    if owner and owner[1] not in {base.__name__ for base in built.__mro__}:
        # Of something that the class builds by itself, such as a DataLoader.
        return None
    known = _settings_of(built)
    return (
        f'{built.__name__} has no setting {match[1]!r}'
        f'{did_you_mean(match[1], known) or "."} Known: {known}'
    )


def _settings_of(built: type) -> list[str]:
    """What a class can be built with, by it or what it hands kwargs to."""
    known: dict[str, None] = {}
    for base in built.__mro__:
        init = vars(base).get('__init__')
        if init is None:
            continue
        _, *own = inspect.signature(init).parameters.values()
        kinds = {p.kind for p in own}
        known |= dict.fromkeys(p.name for p in own if p.kind not in REST)
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return list(known)


def _class_that_was_built(trace: TracebackType | None) -> type | None:
    """The class that a registry was building when an error came."""
    found = None
    while trace is not None:
        if trace.tb_frame.f_code.co_name == 'build_from_cfg':
            found = trace.tb_frame.f_locals.get('obj_cls', found)
        trace = trace.tb_next
    return found if inspect.isclass(found) else None
