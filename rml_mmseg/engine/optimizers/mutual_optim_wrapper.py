"""One backward pass, several optimisers."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmseg.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

NONFINITE_POLICIES = ('stop', 'skip')


def has_finite_gradients(wrapper: OptimWrapper) -> bool:
    """Whether all gradients of an optimiser's parameters are finite."""
    gradients = [
        parameter.grad
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
        if parameter.grad is not None
    ]
    if not gradients:
        return True
    norms = torch._foreach_norm(gradients)
    return math.isfinite(float(torch.stack(norms).sum()))


@OPTIM_WRAPPERS.register_module()
class MutualOptimWrapper(OptimWrapperDict):
    """Optimisers of several students, stepped together.

    The students share one loss and one backward pass, as DDP wants it;
    then each student's optimiser clips and steps by its own rule. Under
    mixed precision all share one gradient scaler.

    Where a student's gradients are not finite, either no student is stepped
    and the run stops, or that student's step is left out and counted
    (scalar ``train/skipped_steps``); ``MutualEMAHook`` then leaves teachers
    and prototypes alone. With a gradient scaler the overflow is the
    scaler's to handle.

    Args:
        on_nonfinite (str): ``'stop'`` or ``'skip'``. Defaults to
            ``'stop'``.
        optim_wrappers (OptimWrapper): One for each student, of one type
            and with one ``accumulative_counts``.

    Raises:
        ValueError: If the wrappers differ in type or accumulation.
    """

    def __init__(
        self, on_nonfinite: str = 'stop', **optim_wrappers: OptimWrapper
    ) -> None:
        super().__init__(**optim_wrappers)
        if on_nonfinite not in NONFINITE_POLICIES:
            raise ValueError(
                f'optim_wrapper.on_nonfinite must be in {NONFINITE_POLICIES}'
                f', got {on_nonfinite!r}'
            )
        self.on_nonfinite = on_nonfinite
        self.skipped_steps = 0
        self.last_skipped: list[str] = []
        wrappers = list(optim_wrappers.values())
        self.leader = wrappers[0]
        for setting, values in (
            ('type', {type(w) for w in wrappers}),
            (
                'accumulative_counts',
                {w._accumulative_counts for w in wrappers},
            ),
        ):
            if len(values) > 1:
                raise ValueError(
                    f'optim_wrapper.students must agree in {setting}, '
                    f'found {values}'
                )
        self.scaler = None
        if isinstance(self.leader, AmpOptimWrapper):
            self.scaler = self.leader.loss_scaler
            for wrapper in wrappers:
                wrapper.loss_scaler = self.scaler

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Accumulation and autocast of the first wrapper, shared by all."""
        with self.leader.optim_context(model):
            yield

    def initialize_count_status(
        self, model: nn.Module, cur_iter: int, max_iters: int
    ) -> None:
        """Tell every wrapper where the run is."""
        for wrapper in self.optim_wrappers.values():
            wrapper.initialize_count_status(model, cur_iter, max_iters)

    def should_update(self) -> bool:
        """Whether the last backward pass was the last of an update."""
        return self.leader.should_update()

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Divide the loss by the number of accumulated passes."""
        return self.leader.scale_loss(loss)

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """One backward pass for all students."""
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        loss.backward(**kwargs)
        for wrapper in self.optim_wrappers.values():
            wrapper._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Clip and step every student's optimiser."""
        if self.scaler is None:
            # All are looked at before the first is stepped.
            self.last_skipped = self._not_finite()
            for name, wrapper in self.optim_wrappers.items():
                if name not in self.last_skipped:
                    wrapper.step(**kwargs)
            return
        for wrapper in self.optim_wrappers.values():
            if wrapper.clip_grad_kwargs:
                self.scaler.unscale_(wrapper.optimizer)
                wrapper._clip_grad()
            self.scaler.step(wrapper.optimizer, **kwargs)
        self.scaler.update(self.leader._scale_update_param)

    def _not_finite(self) -> list[str]:
        """Students that must not be stepped; stops the run if told to."""
        names = [
            name
            for name, wrapper in self.optim_wrappers.items()
            if not has_finite_gradients(wrapper)
        ]
        if not names:
            return names
        message = f'the gradients of {names} are not finite'
        if self.on_nonfinite == 'stop':
            raise FloatingPointError(
                f'{message}; nothing was updated. Look at the learning rate '
                'and clip_grad, or set optim_wrapper.on_nonfinite="skip" to '
                'leave such steps out'
            )
        self.skipped_steps += len(names)
        print_log(
            f'{message}, step left out ({self.skipped_steps} so far)',
            logger='current',
        )
        MessageHub.get_current_instance().update_scalar(
            'train/skipped_steps', self.skipped_steps
        )
        return names

    def update_params(
        self,
        loss: Tensor,
        step_kwargs: Optional[dict] = None,
        zero_kwargs: Optional[dict] = None,
    ) -> None:
        """Backward pass and, when enough are accumulated, a step.

        Args:
            loss (Tensor): Sum of all students' losses.
            step_kwargs (dict, optional): Arguments of ``step``.
            zero_kwargs (dict, optional): Arguments of ``zero_grad``.
        """
        self.backward(self.scale_loss(loss))
        if self.should_update():
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))
