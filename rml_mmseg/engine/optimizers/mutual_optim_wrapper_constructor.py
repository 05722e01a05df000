"""Building an optimiser for every student."""

import copy
import logging
import re
from typing import Any, Optional

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmseg.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
)
from torch import nn
from torch.optim import Optimizer

from rml_mmseg.setting_checks import check_known, did_you_mean

from ..checks.registered import class_of
from ..unwrap import unwrap
from .mutual_optim_wrapper import MutualOptimWrapper

# Settings of optim_wrapper that stock wrappers do not have.
OWN = ['on_nonfinite', 'students']


def keys_of_student(
    custom_keys: dict[str, Any], index: int, count: int
) -> dict[str, Any]:
    """Custom keys for one student, as names relative to that student.

    Args:
        custom_keys (dict): ``paramwise_cfg.custom_keys``; a key such as
            ``students.1.backbone`` is for that student alone.
        index (int): Index of the student.
        count (int): Number of students.

    Raises:
        ValueError: If a key names a student that does not exist.
    """
    common, own = {}, {}
    for key, rule in custom_keys.items():
        match = re.match(r'students\.(\d+)(?:\.|$)', key)
        if match is None:
            common[key] = rule
        elif int(match[1]) >= count:
            raise ValueError(
                f'paramwise_cfg.custom_keys has {key!r}, but there are only '
                f'{count} students, from students.0'
            )
        elif int(match[1]) == index:
            own[key[match.end() :]] = rule
    return {**common, **own}


def check_outside(model: nn.Module) -> None:
    """Refuse parameters outside the students, which no optimiser updates.

    Args:
        model (nn.Module): A ``MutualSemiSegmentor``, unwrapped.

    Raises:
        ValueError: If there are any; names them.
    """
    found = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and not name.startswith('students.')
    ]
    if found:
        raise ValueError(
            f'optim_wrapper trains only the students, so {found[:8]} of the '
            'model would never be updated: make them a part of a segmentor, '
            'such as its decode_head, set requires_grad=False, or use '
            "constructor='DefaultOptimWrapperConstructor', one optimiser for "
            'all'
        )


def check_types(common: Any, entries: list[dict]) -> None:
    """Refuse a wrapper type of one student that differs from the common one.

    Args:
        common (str | type): ``optim_wrapper.type``, by name or as a class.
        entries (list[dict]): ``optim_wrapper.students``.

    Raises:
        ValueError: If they differ.
    """
    wanted = class_of(dict(type=common), OPTIM_WRAPPERS)
    for i, entry in enumerate(entries):
        own = entry.get('type', common)
        if class_of(dict(type=own), OPTIM_WRAPPERS) != wanted:
            raise ValueError(
                f'optim_wrapper.type={common!r} is for all students, but '
                f'optim_wrapper.students[{i}].type={own!r}: remove type from '
                'the entries of students'
            )


def merge_groups(optimizer: Optimizer) -> None:
    """Merge parameter groups with equal settings, in place.

    With a ``paramwise_cfg`` mmengine makes a group of each parameter, which
    PyTorch then steps and mmengine schedules one by one: for a ResNet-101
    some hundred calls instead of one.

    Args:
        optimizer (Optimizer): One that has not stepped. Only PyTorch's own
            are changed; others may rely on their groups.
    """
    if not type(optimizer).__module__.startswith('torch.optim.'):
        return
    merged: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        parameters = group['params']
        rule = {k: v for k, v in group.items() if k != 'params'}
        for other in merged:
            if rule == {k: v for k, v in other.items() if k != 'params'}:
                other['params'] += parameters
                break
        else:
            merged.append(dict(rule, params=list(parameters)))
    optimizer.param_groups = merged


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MutualOptimWrapperConstructor:
    """Builds an optimiser, with settings of its own, for every student.

    The same settings for all students:

    .. code-block:: python

        optim_wrapper = dict(
            constructor='MutualOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=1e-4, momentum=0.9))

    Settings for each student; those outside ``students`` are for all:

    .. code-block:: python

        optim_wrapper = dict(
            constructor='MutualOptimWrapperConstructor',
            type='AmpOptimWrapper',
            accumulative_counts=2,
            students=[
                dict(optimizer=dict(type='SGD', lr=1e-4, momentum=0.9)),
                dict(optimizer=dict(type='AdamW', lr=6e-5),
                     clip_grad=dict(max_norm=1.0),
                     paramwise_cfg=dict(norm_decay_mult=0.0))])

    ``custom_keys`` of ``paramwise_cfg`` are names relative to a student, for
    all, or full names such as ``students.1.backbone``, for that student.

    An entry may name a ``constructor`` of its own, such as mmseg's
    ``LearningRateDecayOptimizerConstructor``. All students share one
    ``type``, so it belongs outside the entries.

    ``param_scheduler`` is then one list for all, or a dict with a list for
    ``students.0``, ``students.1`` and so on.

    Args:
        optim_wrapper_cfg (dict): ``optim_wrapper`` of the config.
        paramwise_cfg (dict, optional): Settings by parameter, for every
            student without its own. Defaults to none.

    Raises:
        ValueError: If there is not one entry for each student, a parameter
            belongs to no student, a student has no optimiser or a type that
            differs from the common one, a custom key names a student that
            does not exist, or a setting is misspelt.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: Optional[dict] = None
    ) -> None:
        cfg = copy.deepcopy(dict(optim_wrapper_cfg))
        # The class of the wrapper refuses settings that resemble none of ours.
        alike = [key for key in cfg if did_you_mean(key, OWN)]
        check_known('optim_wrapper', alike, OWN)
        self.on_nonfinite = cfg.pop('on_nonfinite', 'stop')
        self.students = cfg.pop('students', None)
        self.common = cfg
        self.paramwise_cfg = paramwise_cfg

    def __call__(self, model: nn.Module) -> MutualOptimWrapper:
        """Build the optimisers.

        Args:
            model (nn.Module): A ``MutualSemiSegmentor``, wrapped or not.
        """
        students = getattr(unwrap(model), 'students', None)
        if students is None:
            raise ValueError(
                'optim_wrapper.constructor="MutualOptimWrapperConstructor" '
                f'needs a MutualSemiSegmentor, got {type(model).__name__}'
            )
        check_outside(unwrap(model))
        own = self.students or [{} for _ in students]
        if len(own) != len(students):
            raise ValueError(
                f'optim_wrapper.students has {len(own)} entries for '
                f'{len(students)} model.segmentors'
            )
        if 'type' in self.common:
            check_types(self.common['type'], own)
        for key in self.common.keys() - {'type'}:
            # It may come from a base config with one setting for all.
            if all(key in entry for entry in own):
                print_log(
                    f'optim_wrapper.{key} has no effect, as every entry of '
                    f'optim_wrapper.students sets its own {key}: change it '
                    'there',
                    logger='current',
                    level=logging.WARNING,
                )
        wrappers = {
            f'students.{i}': self._build(i, student, own)
            for i, student in enumerate(students)
        }
        return MutualOptimWrapper(self.on_nonfinite, **wrappers)

    def _build(
        self, index: int, student: nn.Module, entries: list[dict]
    ) -> OptimWrapper:
        cfg = copy.deepcopy({**self.common, **entries[index]})
        paramwise = cfg.pop('paramwise_cfg', self.paramwise_cfg)
        if paramwise and 'custom_keys' in paramwise:
            keys = paramwise['custom_keys']
            own = keys_of_student(keys, index, len(entries))
            paramwise = {**paramwise, 'custom_keys': own}
        kind = cfg.pop('constructor', 'DefaultOptimWrapperConstructor')
        if 'optimizer' not in cfg:
            raise ValueError(
                'optim_wrapper has no `optimizer`, neither for all nor in '
                f'students[{index}]'
            )
        cfg.setdefault('type', 'OptimWrapper')
        constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
            dict(type=kind, optim_wrapper_cfg=cfg, paramwise_cfg=paramwise)
        )
        wrapper: OptimWrapper = constructor(student)
        merge_groups(wrapper.optimizer)
        return wrapper
