"""One backward pass, several optimisers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

import torch
from mmengine.dist import all_reduce
from mmengine.logging import MessageHub, print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmseg.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from rml_mmseg.setting_checks import check_choice

from ..finite import all_finite

NONFINITE_POLICIES = ('stop', 'skip')
# A gradient scaler finds its scale within 20 steps; a run that skips more in
# a row does not recover.
MAX_SKIPS_IN_A_ROW = 100


def uncompiled(function: Callable) -> Callable:
    """Exclude a function from `compile = True`, where PyTorch can.

    PyTorch 2.13 fails to trace optimisers whose parameters have groups.
    """
    compiler = getattr(torch, 'compiler', None)
    disable = getattr(compiler, 'disable', None)
    return disable(function) if disable else function


def finite_gradients(wrapper: OptimWrapper) -> Tensor:
    """Whether all gradients of an optimiser's parameters are finite, ()."""
    # Read `grad` once each: every access makes a Python object.
    gradients = [
        parameter.grad
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    ]
    return all_finite([each for each in gradients if each is not None])


@OPTIM_WRAPPERS.register_module()
class MutualOptimWrapper(OptimWrapperDict):
    """Optimisers of several students, stepped together.

    The students share one loss and one backward pass, as DDP requires; then
    each student's optimiser clips and steps by its own settings. One that
    clips logs its norm, ``train/students.{i}.grad_norm``. Under mixed
    precision all share one gradient scaler.

    If a student's gradients are not finite, either no student steps and the
    run stops, or that student's step is skipped and counted (scalar
    ``train/skipped_steps``); ``MutualEMAHook`` then leaves teachers and
    prototypes alone. A loss that is not finite, though the gradients are,
    counts for all students. With a gradient scaler an overflow is left to
    the scaler, and counted as ``train/overflows``. After
    ``MAX_SKIPS_IN_A_ROW`` skipped steps in a row the run stops in any case.

    Args:
        on_nonfinite (str): ``'stop'`` or ``'skip'``. Defaults to
            ``'stop'``.
        optim_wrappers (OptimWrapper): One per student, all of the same type
            and ``accumulative_counts``.

    Raises:
        ValueError: If the wrappers differ in type or accumulation, or
            ``on_nonfinite`` is unknown.
    """

    def __init__(
        self, on_nonfinite: str = 'stop', **optim_wrappers: OptimWrapper
    ) -> None:
        super().__init__(**optim_wrappers)
        check_choice(
            'optim_wrapper.on_nonfinite', on_nonfinite, NONFINITE_POLICIES
        )
        self.on_nonfinite = on_nonfinite
        self.last_skipped: list[str] = []
        self._skips_in_a_row = 0
        # Whether losses since the last step are; a tensor, so as not to wait.
        self.finite = torch.tensor(True)
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
        for name, wrapper in optim_wrappers.items():
            if wrapper.clip_grad_kwargs:
                # Otherwise all of them would write the same scalar.
                wrapper.grad_name = f'{name}.{wrapper.grad_name}'
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
        """Whether the last backward pass completed an accumulated step."""
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

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of every student's optimiser.

        Args:
            state_dict (dict): State dicts by the students' names.

        Raises:
            ValueError: If parameters were in other groups.
        """
        for name, saved in state_dict.items():
            if name not in self.optim_wrappers or 'param_groups' not in saved:
                continue
            groups = self.optim_wrappers[name].optimizer.param_groups
            found, wanted = (
                [len(group['params']) for group in each]
                for each in (saved['param_groups'], groups)
            )
            if found != wanted:
                raise ValueError(
                    f'the optimiser of {name} was saved with {len(found)} '
                    'parameter groups, but optim_wrapper makes '
                    f'{len(wanted)}, or their sizes differ: paramwise_cfg or '
                    'the network has changed, or an older version of '
                    'rml_mmseg started the run. Undo the change to resume, '
                    'or start a new run with load_from'
                )
        super().load_state_dict(state_dict)

    def step(self, **kwargs: Any) -> None:
        """Clip and step every student's optimiser."""
        self.last_skipped = []
        if self.scaler is None or not self.scaler.is_enabled():
            # All are checked before the first one steps.
            self.last_skipped = self._not_finite()
            for name, wrapper in self.optim_wrappers.items():
                if name not in self.last_skipped:
                    wrapper.step(**kwargs)
        else:
            self._scaled_step(self.scaler, kwargs)
        self._check_row()

    def _scaled_step(self, scaler: Any, kwargs: dict) -> None:
        held = {}
        for name, wrapper in self.optim_wrappers.items():
            scaler.unscale_(wrapper.optimizer)
            found = scaler._found_inf_per_device(wrapper.optimizer).values()
            if found:
                held[name] = ~torch.stack([*found]).any()
        finite, overflows = self._read(held)
        if overflows:
            self.last_skipped = overflows
            self._report('overflows', f'the gradients of {overflows} overflow')
        elif not finite:
            self.last_skipped = self._refuse(
                'the loss is', list(self.optim_wrappers)
            )
        for name, wrapper in self.optim_wrappers.items():
            left_out = name in self.last_skipped and name not in overflows
            # The scaler refuses an optimiser without gradients.
            if left_out or name not in held:
                continue
            if wrapper.clip_grad_kwargs:
                wrapper._clip_grad()
            scaler.step(wrapper.optimizer, **kwargs)
        scaler.update(self.leader._scale_update_param)

    def _not_finite(self) -> list[str]:
        """Students that must not step; stops the run if set to do so."""
        finite, names = self._read(
            {
                name: finite_gradients(wrapper)
                for name, wrapper in self.optim_wrappers.items()
            }
        )
        if names:
            return self._refuse(f'the gradients of {names} are', names)
        if finite:
            return []
        return self._refuse('the loss is', list(self.optim_wrappers))

    def _read(self, finite: dict[str, Tensor]) -> tuple[bool, list[str]]:
        """Read what is finite, with one GPU synchronisation.

        Args:
            finite (dict[str, Tensor]): Whether the gradients of each student
                are finite, (), bool.

        Returns:
            tuple[bool, list[str]]: Whether the losses since the last step
            are finite on all ranks, and students whose gradients are not.
        """
        losses = self.finite.int()
        # Made on the device: copying it there would synchronise.
        self.finite = torch.ones_like(losses, dtype=torch.bool)
        all_reduce(losses, op='min')
        flags = [each.to(losses.device) for each in finite.values()]
        values = torch.stack([losses, *flags]).tolist()
        names = [name for name, held in zip(finite, values[1:]) if not held]
        return bool(values[0]), names

    def _refuse(self, what: str, names: list[str]) -> list[str]:
        """Stop the run, or skip the steps of some students."""
        if self.on_nonfinite == 'stop':
            raise FloatingPointError(
                f'{what} not finite; nothing was updated. Check the learning '
                'rate and clip_grad, or set '
                'optim_wrapper.on_nonfinite="skip" to skip such steps'
            )
        self._report('skipped_steps', f'{what} not finite', len(names))
        return names

    def _report(self, name: str, message: str, steps: int = 1) -> None:
        # The hub is saved with a checkpoint.
        hub = MessageHub.get_current_instance()
        count = hub.get_info(name, 0) + steps
        print_log(
            f'{message}, step skipped ({count} so far)', logger='current'
        )
        hub.update_info(name, count)
        hub.update_scalar(f'train/{name}', count)

    def _check_row(self) -> None:
        """Stop a run in which no step succeeds any more."""
        self._skips_in_a_row = (
            self._skips_in_a_row + 1 if self.last_skipped else 0
        )
        if self._skips_in_a_row >= MAX_SKIPS_IN_A_ROW:
            raise FloatingPointError(
                f'{self._skips_in_a_row} steps in a row were skipped, the '
                f'last for {self.last_skipped}: training no longer makes '
                'progress. Go back to an earlier checkpoint, and check the '
                'learning rate and clip_grad'
            )

    @uncompiled
    def update_params(
        self,
        loss: Tensor,
        step_kwargs: Optional[dict] = None,
        zero_kwargs: Optional[dict] = None,
    ) -> None:
        """Run a backward pass and, when enough are accumulated, a step.

        Args:
            loss (Tensor): Sum of all students' losses.
            step_kwargs (dict, optional): Arguments of ``step``.
            zero_kwargs (dict, optional): Arguments of ``zero_grad``.
        """
        self.finite = loss.detach().isfinite() & self.finite.to(loss.device)
        self.backward(self.scale_loss(loss))
        if self.should_update():
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))
