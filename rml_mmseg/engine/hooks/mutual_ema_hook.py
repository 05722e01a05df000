"""Moving the teachers and the prototypes."""

import logging
from typing import Any, Optional

import torch
from mmengine.dist import all_reduce_params, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from rml_mmseg.models.utils.ema import BUFFER_POLICIES
from rml_mmseg.models.utils.network_state import State, StateReader
from rml_mmseg.setting_checks import check_choice, check_flag, check_number

from ..checks.classes import check_classes
from ..checks.config import check_config
from ..finite import infinite_buffers, mend_buffers, state_is_finite
from ..unfinished_step import collect, restore
from ..unwrap import unwrap


def scale_of(wrapper: OptimWrapper) -> float:
    """Scale of the loss under mixed precision, 1 without a scaler."""
    scaler = getattr(wrapper, 'loss_scaler', None)
    return 1.0 if scaler is None else scaler.get_scale()


@HOOKS.register_module()
class MutualEMAHook(Hook):
    """Moves teachers and prototypes after every step of the optimisers.

    The teachers start as copies of the students, once, unless a checkpoint
    brought teachers. They move only when the optimisers stepped, so not in
    the middle of an accumulated gradient. Running statistics of the
    students become their mean over all processes first, so that students
    and teachers are equal in all of them. Where an optimiser left its step
    out teachers stay as they are, and running statistics of a student that
    the batch spoilt become its teacher's. A student that is not finite stops
    the run before it reaches its teacher; buffers that were infinite when
    the run began, such as masks, are not looked at. Of a single
    ``AmpOptimWrapper`` a step that was left out is known by its falling
    scale, so not where ``loss_scale`` is a fixed number.

    Args:
        momentum (float): Share of the teacher that stays, in [0, 1].
            Defaults to 0.999 (ProDA's; the paper gives none).
        warm_up (bool): Whether step i, from 0, uses at most
            ``1 - 1 / (i + 1)``, so that an early teacher is the mean of
            its student. A run that ``load_from`` gave all of its
            teachers has none. Defaults to True.
        buffers (str): ``'copy'`` or ``'average'`` for running statistics.
            Defaults to ``'copy'``.

    Raises:
        ValueError: If a setting is out of range.
        TypeError: If the model is not a ``MutualSemiSegmentor``.
        FloatingPointError: If a student is not finite.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        momentum: float = 0.999,
        warm_up: bool = True,
        buffers: str = 'copy',
    ) -> None:
        check_number('MutualEMAHook.momentum', momentum, '[0, 1]')
        check_flag('MutualEMAHook.warm_up', warm_up)
        check_choice('MutualEMAHook.buffers', buffers, BUFFER_POLICIES)
        self.momentum = momentum
        self.warm_up = warm_up
        self.buffers = buffers
        self._unfinished: Optional[dict] = None
        self._infinite: dict[int, set[str]] = {}
        # Made with the first step of a run, when no module changes any more.
        self._readers: Optional[list[tuple[StateReader, StateReader]]] = None
        self._warms_up = warm_up
        self._scale = 1.0

    def before_run(self, runner: Runner) -> None:
        """Check the model and tell it that its teachers will move."""
        model = unwrap(runner.model)
        if not hasattr(model, 'update_teachers'):
            raise TypeError(
                'MutualEMAHook needs a MutualSemiSegmentor, got '
                f'{type(model).__name__}; for a plain model take EMAHook'
            )
        # Stock tools build a runner without the checks of ours.
        check_config(runner.cfg)
        model.ema_attached = True

    def before_train(self, runner: Runner) -> None:
        """Copy each student to its teacher unless that was loaded."""
        model = unwrap(runner.model)
        check_classes(model, runner.train_dataloader.dataset, runner.val_loop)
        # Synchronising batch normalisation loses the mode of a layer.
        model.teachers.eval()
        if runner.cfg.get('activation_checkpointing'):
            # mmengine wraps the modules only now.
            model.recomputed.activate()
            model.check_passes()
        model.sync_teachers(but=model.teachers_loaded)
        for i, student in enumerate(model.students):
            self._infinite[i] = infinite_buffers(student)
        self._scale = scale_of(runner.optim_wrapper)
        self._readers = None
        model.pseudo_labeller.graphs.forget()
        # The hub is saved with a checkpoint.
        hub = runner.message_hub
        if not runner.iter:
            hub.update_info('teachers_warm_up', not model.teachers_trained)
        self._warms_up = self.warm_up and hub.get_info(
            'teachers_warm_up', True
        )
        # A run that only starts from a checkpoint is at iteration 0.
        if self._unfinished is not None and runner.iter:
            restore(model, runner.optim_wrapper, self._unfinished)
        self._unfinished = None

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Tell the model, for its ramp-up, how long it has had labels."""
        burn_in = getattr(runner.train_loop, 'burn_in_iters', 0)
        unwrap(runner.model).iteration = max(runner.iter - burn_in, 0)

    def momentum_at(self, step: int) -> float:
        """Momentum of a step, from 0."""
        if not self._warms_up:
            return self.momentum
        return min(self.momentum, 1 - 1 / (step + 1))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[dict] = None,
    ) -> None:
        """Move teachers and prototypes if the optimisers stepped."""
        wrapper, model = runner.optim_wrapper, unwrap(runner.model)
        model.recomputed.put_back()
        if not wrapper.should_update():
            return
        skipped = self._left_out(wrapper)
        if skipped:
            for student, teacher in zip(model.students, model.teachers):
                mend_buffers(student, teacher)
        # Running statistics, which every process has of its own; those of
        # the students, since a checkpoint holds those of one process.
        buffers = model.students.buffers()
        all_reduce_params(
            # Not looked for where there is one process.
            (b for b in buffers if b.is_floating_point()),
            op='mean',
        )
        if skipped:
            for rectifier in model.rectifiers:
                rectifier.discard()
            return
        states = self._read(model)
        finite = [
            state_is_finite(state, self._constant(model, i))
            for i, (_, state) in enumerate(states)
        ]
        # A GPU is waited for once, and not once a student.
        for i, is_finite in enumerate(torch.stack(finite).tolist()):
            if not is_finite:
                raise FloatingPointError(
                    f'students.{i} is not finite after iteration '
                    f'{runner.iter + 1}; its teacher was left alone. Lower '
                    'the learning rate, set clip_grad, or use '
                    'MutualOptimWrapperConstructor, which leaves such a '
                    'step out'
                )
        done = getattr(runner.train_loop, 'steps_since_restart', runner.iter)
        step = done // self._accumulated(wrapper)
        model.update_teachers(self.momentum_at(step), self.buffers, states)
        if self.buffers == 'average':
            # The mean of two infinite values is none.
            for i in [i for i, names in self._infinite.items() if names]:
                mend_buffers(model.teachers[i], model.students[i])
        for rectifier in model.rectifiers:
            rectifier.update()

    def _read(self, model: Any) -> list[tuple[State, State]]:
        """Tensors of each teacher and its student."""
        if self._readers is None:
            self._readers = [
                (StateReader(teacher), StateReader(student))
                for teacher, student in zip(model.teachers, model.students)
            ]
        return [(teacher(), student()) for teacher, student in self._readers]

    def _constant(self, model: Any, i: int) -> list[Tensor]:
        """Buffers of student i that were infinite when the run began."""
        names = self._infinite.get(i)
        if not names:
            return []
        named = model.students[i].named_buffers()
        return [buffer for name, buffer in named if name in names]

    def _left_out(self, wrapper: OptimWrapper) -> bool:
        """Whether the step, or that of a student, was not made."""
        before, self._scale = self._scale, scale_of(wrapper)
        # A gradient scaler that leaves a step out lowers its scale.
        fell = self._scale < before
        return fell or bool(getattr(wrapper, 'last_skipped', ()))

    @staticmethod
    def _accumulated(wrapper: OptimWrapper) -> int:
        """Iterations that make a step of the optimisers."""
        return getattr(wrapper, 'leader', wrapper)._accumulative_counts

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what is accumulated in the middle of a step."""
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper) or wrapper.should_update():
            return
        if get_world_size() == 1:
            model = unwrap(runner.model)
            checkpoint['unfinished_step'] = collect(model, wrapper)
            return
        count = self._accumulated(wrapper)
        print_log(
            'This checkpoint lies inside of an accumulated step, and the '
            'gradients of the other processes are not in it: a run resumed '
            'from it loses them. Make default_hooks.checkpoint.interval a '
            f'multiple of optim_wrapper.accumulative_counts={count}',
            logger='current',
            level=logging.WARNING,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember what was accumulated, for a resumed run."""
        self._unfinished = checkpoint.get('unfinished_step')
