"""Checks for config faults that would only show late in a run."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS, OPTIMIZERS

from rml_mmseg.models.utils.learner_cfg import is_semi, segmentor_cfgs
from rml_mmseg.models.utils.learner_names import learner_names
from rml_mmseg.setting_checks import check_choice, check_count, did_you_mean

from .data_config import check_data_config, check_loaders
from .registered import class_of, type_name

# Top-level settings that mmengine's Runner and the tools read.
KNOWN = [
    *inspect.signature(Runner.__init__).parameters,
    *('custom_imports', 'tta_model', 'runner_type', 'auto_scale_lr'),
    *('activation_checkpointing', 'compile', 'data_preparation'),
    *('efficient_conv_bn_eval', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'sync_bn'),
]
# Not in KNOWN: test_pipeline, in most configs, would look like a misspelling.
READ = [*KNOWN, 'tta_pipeline']
SHARDED = 'FlexibleRunner'
# Settings of mmseg 0.x, and what has replaced them.
OLD_NAMES = {
    'checkpoint_config': 'default_hooks.checkpoint',
    'evaluation': 'train_cfg.val_interval and val_evaluator',
    'log_config': 'default_hooks.logger and visualizer',
    'lr_config': 'param_scheduler',
    'optimizer_config': 'optim_wrapper',
}


def check_config(cfg: Mapping[str, Any]) -> None:
    """Refuse a config that cannot train as it says.

    Args:
        cfg (Mapping): Whole config of a run.

    Raises:
        ValueError: If a setting is wrong; names it, its value, and what would
            be right.
    """
    _check_names(cfg)
    for key in ('model', 'train_cfg'):
        if not isinstance(cfg.get(key) or {}, Mapping):
            raise ValueError(f'{key} must be a dict, got {cfg[key]!r}')
    check_loaders(cfg)
    _check_seed(cfg.get('randomness'))
    model = cfg.get('model') or {}
    if not (is_semi(model) and cfg.get('train_cfg')):
        return
    if cfg.get('runner_type') == SHARDED:
        raise ValueError(sharded_message())
    wrapper = type_name(cfg.get('model_wrapper_cfg'))
    if wrapper.endswith('FullyShardedDataParallel'):
        raise ValueError(
            sharded_message(f'model_wrapper_cfg.type={wrapper!r}')
        )
    _check_loop(cfg['train_cfg'])
    _check_accumulation(cfg)
    _check_optimisers(cfg)
    check_data_config(cfg)
    _check_hooks(cfg)
    _check_learners(cfg, model)


def check_options(cfg: Mapping[str, Any], options: Iterable[str]) -> None:
    """Refuse overrides of a config that nothing would read.

    Args:
        cfg (Mapping): Config before it is overridden.
        options (Iterable[str]): Dotted names of settings.

    Raises:
        ValueError: If one begins with a name that mmengine does not read.
    """
    for option in options:
        name = option.split('.')[0]
        if name in READ:
            continue
        if name in cfg:
            raise ValueError(
                f'--cfg-options sets {option!r}, which has no effect: '
                f'{name!r} is only a variable of the config file. Override '
                'the settings that use it, such as '
                'train_dataloader.dataset..., or change the variable in a '
                'file'
            )
        hint = did_you_mean(name, READ)
        raise ValueError(
            f'--cfg-options sets {option!r}, which has no effect: neither '
            f'the config nor mmengine has a setting {name!r}{hint}'
        )


def sharded_message(setting: str = f'runner_type={SHARDED!r}') -> str:
    """Error message that says why models cannot be sharded.

    Args:
        setting (str): Setting that asks for it, and its value.
    """
    return (
        f'{setting} is not supported: FSDP and DeepSpeed split parameters '
        'over processes, but teachers need whole students. Remove it and '
        'train with DDP (tools/dist_train.sh)'
    )


def _check_names(cfg: Mapping[str, Any]) -> None:
    """Refuse, or warn of, top-level settings that nothing reads."""
    for key in cfg:
        if key in READ:
            continue
        if key in OLD_NAMES and isinstance(cfg[key], Mapping):
            raise ValueError(
                f'the config sets {key!r}, a setting of mmseg 0.x. In mmseg '
                f'1.x use {OLD_NAMES[key]}'
            )
        close = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.85)
        if not close:
            continue
        text = (
            f'the config sets {key!r}, which is not a known setting; did you '
            f'mean {close[0]!r}?'
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
            f'train_cfg={dict(train_cfg)} counts epochs, but SemiSegSampler '
            "has none: set train_cfg=dict(type='StagedTrainLoop', "
            'iters_per_stage=...)'
        )


def _check_seed(randomness: Any) -> None:
    """Refuse a seed that numpy does not accept."""
    seed = randomness.get('seed') if isinstance(randomness, Mapping) else None
    if seed is not None:
        check_count('randomness.seed', seed, 0)


def _check_optimisers(cfg: Mapping[str, Any]) -> None:
    """Refuse optimisers that are not registered."""
    wrapper = cfg.get('optim_wrapper')
    if not isinstance(wrapper, Mapping):
        return
    scope = cfg.get('default_scope')
    with OPTIMIZERS.switch_scope_and_registry(scope) as registry:
        known = {*registry.module_dict, *OPTIMIZERS.parent.module_dict}
        for place, part in wrapper_parts(wrapper).items():
            # The constructor reports other faults.
            optimiser = isinstance(part, Mapping) and part.get('optimizer')
            if not optimiser or class_of(optimiser, registry) is not None:
                continue
            check_choice(
                f'{place}.optimizer.type',
                optimiser.get('type'),
                sorted(known),
            )


def wrapper_parts(wrapper: Mapping[str, Any]) -> dict[str, Any]:
    """Configs of an optimiser wrapper and of its students, by dotted name."""
    students = enumerate(wrapper.get('students') or [])
    return {
        'optim_wrapper': wrapper,
        **{f'optim_wrapper.students[{i}]': entry for i, entry in students},
    }


def _check_accumulation(cfg: Mapping[str, Any]) -> None:
    """Refuse a restart within a step, as it would discard gradients."""
    train_cfg = cfg['train_cfg']
    wrapper = cfg.get('optim_wrapper')
    restarts = train_cfg.get('restart_students')
    if not restarts or not isinstance(wrapper, Mapping):
        return
    shared = wrapper.get('accumulative_counts', 1)
    length = train_cfg.get('iters_per_stage')
    for name, part in wrapper_parts(wrapper).items():
        count = part.get('accumulative_counts', shared)
        numbers = isinstance(length, int) and isinstance(count, int)
        if numbers and count > 0 and length % count:
            raise ValueError(
                f'train_cfg.iters_per_stage={length} must be a multiple of '
                f'{name}.accumulative_counts={count} with restart_students: '
                'otherwise the first step of a stage lacks a part of its '
                'gradients'
            )


def _check_hooks(cfg: Mapping[str, Any]) -> None:
    """Make sure that exactly one hook updates the teachers."""
    hooks = [
        *(cfg.get('custom_hooks') or []),
        *(h for h in (cfg.get('default_hooks') or {}).values() if h),
    ]
    # Not imported, as the hook's module imports this one.
    moving = HOOKS.get('MutualEMAHook')
    kinds = [class_of(hook, HOOKS) for hook in hooks]
    found = [k for k in kinds if inspect.isclass(k) and issubclass(k, moving)]
    if not found:
        names = [type_name(hook) for hook in cfg.get('custom_hooks') or []]
        raise ValueError(
            f'custom_hooks has {names}, so the teachers would never be '
            "updated: add dict(type='MutualEMAHook')"
        )
    if len(found) > 1:
        names = [kind.__name__ for kind in found]
        raise ValueError(
            f'custom_hooks and default_hooks have {names}, so the teachers '
            'would be updated more than once per step: keep one'
        )


def check_checkpoint_hooks(hooks: Iterable[Any]) -> None:
    """Make sure that checkpoints are counted in iterations.

    Args:
        hooks (Iterable[Hook]): Hooks of a run.

    Raises:
        ValueError: If one counts epochs, or its interval is invalid.
    """
    for hook in hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        if hook.by_epoch:
            raise ValueError(
                'default_hooks.checkpoint.by_epoch is True (the default), '
                'which saves only once, at the end of the run: set '
                'by_epoch=False and an interval in iterations'
            )
        # Below 1 it saves only at the end.
        check_count('default_hooks.checkpoint.interval', hook.interval, -1)


def _check_learners(cfg: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Make sure that learners that are scored exist and predict."""
    if model.get('segmentors') is None:
        return
    names = learner_names(len(segmentor_cfgs(model['segmentors'])))
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
