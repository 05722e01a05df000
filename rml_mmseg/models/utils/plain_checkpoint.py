"""Loading a plain segmentor's checkpoint into every learner."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

GROUPS = ('students.', 'teachers.', 'rectifiers.')


def mismatches(
    state: Mapping[str, Tensor], segmentor: nn.Module
) -> tuple[list[str], list[str]]:
    """Tensors of a segmentor that a plain state does not fill.

    Args:
        state (Mapping[str, Tensor]): State of a stock segmentor.
        segmentor (nn.Module): The segmentor to fill.

    Returns:
        tuple[list[str], list[str]]: Backbone tensors and other tensors
        that are absent or of another shape.
    """
    backbone: list[str] = []
    others: list[str] = []
    for key, value in segmentor.state_dict().items():
        if not isinstance(value, Tensor):
            # The extra state of a module, which may be of any type.
            continue
        if key in state and state[key].shape == value.shape:
            continue
        (backbone if key.startswith('backbone.') else others).append(key)
    return backbone, others


def below(state_dict: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    """Tensors under a prefix, by their names without it."""
    return {
        key[len(prefix) :]: value
        for key, value in state_dict.items()
        if key.startswith(prefix) and isinstance(value, Tensor)
    }


def _lacking(name: str, backbone: Sequence[str]) -> str:
    return (
        f'{name}: {len(backbone)} tensors of the backbone, such as '
        f'{backbone[0]!r}'
    )


def _misfit(reasons: Sequence[str]) -> str:
    return (
        'the checkpoint fits no learner. It lacks, or has with another '
        f'shape, {"; ".join(reasons)}. Set load_from to a checkpoint of one '
        'of the networks in model.segmentors, or of this model'
    )


def is_filled(
    state_dict: Mapping[str, Any], prefix: str, network: nn.Module
) -> bool:
    """Whether a state has all tensors of a network.

    Args:
        state_dict (dict): State that is being loaded.
        prefix (str): Prefix of the network's keys, such as ``'teachers.0.'``.
        network (nn.Module): The network.
    """
    return not any(mismatches(below(state_dict, prefix), network))


def _check_learners(
    state_dict: Mapping[str, Tensor],
    prefix: str,
    students: Sequence[nn.Module],
) -> None:
    """Refuse a state whose learners are other networks than the students."""
    fitting, reasons, absent = 0, [], []
    for i, student in enumerate(students):
        state = below(state_dict, f'{prefix}students.{i}.')
        if not state:
            # For example a state of teachers only.
            if not below(state_dict, f'{prefix}teachers.{i}.'):
                absent.append(f'all of students.{i} and teachers.{i}')
            continue
        backbone, _ = mismatches(state, student)
        if not backbone:
            fitting += 1
        else:
            reasons.append(_lacking(f'students.{i}', backbone))
    if reasons and not fitting:
        raise ValueError(_misfit(reasons))
    for reason in (*reasons, *absent):
        print_log(
            'not in the checkpoint, or with another shape, so left as '
            f'initialised: {reason}',
            logger='current',
            level=logging.WARNING,
        )


def fan_out(
    state_dict: dict[str, Tensor], prefix: str, students: Sequence[nn.Module]
) -> None:
    """Copy a plain segmentor's state to every learner that fits.

    A learner fits if the state fills its whole backbone. Other tensors of
    the right shape are loaded too; the rest is left as initialised and named
    in the log. A state that already has learners is left as it is.

    Args:
        state_dict (dict): State that is being loaded, changed in place.
        prefix (str): Prefix of the wrapper's keys.
        students (Sequence[nn.Module]): The students.

    Raises:
        ValueError: If the state fits no learner.
    """
    if any(
        key.startswith(tuple(prefix + group for group in GROUPS))
        for key in state_dict
    ):
        _check_learners(state_dict, prefix, students)
        return
    state = below(state_dict, prefix)
    fitting, reasons = 0, []
    for i, student in enumerate(students):
        backbone, others = mismatches(state, student)
        if backbone:
            reasons.append(_lacking(f'model.segmentors[{i}]', backbone))
            continue
        fitting += 1
        if others:
            print_log(
                f'students.{i}: not in the checkpoint, or with another '
                f'shape, so left as initialised: {others}',
                logger='current',
            )
        for key in student.state_dict():
            if key in state and key not in others:
                state_dict[f'{prefix}students.{i}.{key}'] = state[key]
                state_dict[f'{prefix}teachers.{i}.{key}'] = state[key]
    if not fitting:
        raise ValueError(_misfit(reasons))
    for key in state:
        state_dict.pop(prefix + key)
