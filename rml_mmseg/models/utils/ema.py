"""Exponential moving average (EMA) of a student in its teacher."""

import torch
from torch import Tensor, nn

from .network_state import State, network_state

BUFFER_POLICIES = ('copy', 'average')


def _average(targets: list[Tensor], sources: list[Tensor], m: float) -> None:
    """Move float tensors in place: t <- m * t + (1 - m) * s."""
    if {t.dtype for t in targets} == {torch.float32}:
        # t + (1 - m) * (s - t) reads and writes every weight once.
        if hasattr(torch, '_foreach_lerp_'):
            torch._foreach_lerp_(targets, sources, 1 - m)
            return
        for target, source in zip(targets, sources):
            target.lerp_(source, 1 - m)
        return
    for target, source in zip(targets, sources):
        target.copy_(m * target.float() + (1 - m) * source.float())


def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
    """Make float and integer targets equal to their sources, in place."""
    if not hasattr(torch, '_foreach_copy_'):
        for target, source in zip(targets, sources):
            target.copy_(source)
        return
    # A GPU copies tensors of one dtype together, mixed ones one by one.
    by_type: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
    for target, source in zip(targets, sources):
        alike = by_type.setdefault(target.dtype, ([], []))
        alike[0].append(target)
        alike[1].append(source)
    for alike in by_type.values():
        torch._foreach_copy_(*alike)


@torch.no_grad()
def ema_update(
    teacher: nn.Module,
    student: nn.Module,
    momentum: float,
    buffers: str = 'copy',
) -> None:
    """Mean-teacher step: t <- momentum * t + (1 - momentum) * s.

    The rule of Mean Teacher (Tarvainen and Valpola, 2017), which RML uses
    for its two teachers (section 4.1). Computed in float32, in place.

    Args:
        teacher (nn.Module): Network to update.
        student (nn.Module): Network of the same structure; not modified.
        momentum (float): Share of the teacher that stays, in [0, 1].
        buffers (str): What happens to floating-point buffers such as the
            running statistics of batch normalisation: ``'copy'`` takes the
            student's, ``'average'`` averages them like parameters. Integer
            buffers are always copied. Defaults to ``'copy'``.

    Raises:
        ValueError: If ``momentum`` or ``buffers`` is out of range, or the
            two networks differ in structure.
    """
    average_state(
        network_state(teacher), network_state(student), momentum, buffers
    )


@torch.no_grad()
def average_state(
    teacher: State, student: State, momentum: float, buffers: str = 'copy'
) -> None:
    """Apply :func:`ema_update` to states that were read before.

    Args:
        teacher (State): Parameters and buffers to update in place.
        student (State): Parameters and buffers to move them towards.
        momentum (float): As in ``ema_update``.
        buffers (str): Likewise.

    Raises:
        ValueError: As in ``ema_update``.
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f'momentum must be in [0, 1], got {momentum}')
    if buffers not in BUFFER_POLICIES:
        raise ValueError(
            f'buffers must be one of {BUFFER_POLICIES}, got {buffers!r}'
        )
    if teacher.shapes != student.shapes:
        raise ValueError(
            'teacher and student must have the same parameters and '
            'buffers; build both from one config'
        )
    averaged, copied = _kinds(teacher, buffers, momentum)
    averaged_to, copied_to = _kinds(student, buffers, momentum)
    _average(averaged, averaged_to, momentum)
    _copy(copied, copied_to)


def _kinds(
    state: State, buffers: str, momentum: float
) -> tuple[list[Tensor], list[Tensor]]:
    """Tensors to average, and tensors to copy."""
    parameters, _ = state
    if momentum == 0:
        # Copied, as 0 * NaN would keep a non-finite teacher.
        return [], [*parameters, *state.floating, *state.whole]
    if buffers == 'average':
        return [*parameters, *state.floating], state.whole
    return parameters, [*state.floating, *state.whole]
