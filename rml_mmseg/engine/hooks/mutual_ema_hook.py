"""Updating the teachers and the prototypes."""

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
    """Updates teachers and prototypes after every step of the optimisers.

    The teachers start as copies of the students, unless a checkpoint brought
    teachers. They are updated only when the optimisers have stepped, so not
    during gradient accumulation. Running statistics of the students are
    averaged over all ranks first, so that students and teachers are equal on
    all of them. If an optimiser skipped its step, the teachers stay as they
    are, and running statistics of a student that are no longer finite are
    replaced by its teacher's. A student that is not finite stops the run
    before its teacher is updated; buffers that were infinite when the run
    began, such as masks, are not checked. With a single ``AmpOptimWrapper`` a
    skipped step is known by the falling loss scale, and so goes unnoticed if
    ``loss_scale`` is a fixed number.

    Args:
        momentum (float): Share of the teacher that each update keeps, in
            [0, 1]. Defaults to 0.999 (ProDA's; the paper gives none).
        warm_up (bool): Whether step i, from 0, uses a momentum of at most
            ``1 - 1 / (i + 1)``, so that an early teacher is the mean of its
            student over the steps. Has no effect on a teacher that
            ``load_from`` loaded. Defaults to True.
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
        # Made at the first step of a run, when modules no longer change.
        self._readers: Optional[list[tuple[StateReader, StateReader]]] = None
        # Teachers that the run began with.
        self._trained: set[int] = set()
        self._scale = 1.0

    def before_run(self, runner: Runner) -> None:
        """Check the model and tell it that its teachers will be updated."""
        model = unwrap(runner.model)
        if not hasattr(model, 'update_teachers'):
            raise TypeError(
                'MutualEMAHook needs a MutualSemiSegmentor, got '
                f'{type(model).__name__}; for a plain model use EMAHook'
            )
        # Stock tools build a Runner without the checks of our tools.
        check_config(runner.cfg)
        model.ema_attached = True

    def before_train(self, runner: Runner) -> None:
        """Copy each student to its teacher unless the teacher was loaded."""
        model = unwrap(runner.model)
        check_classes(model, runner.train_dataloader.dataset, runner.val_loop)
        # Converting layers to SyncBatchNorm loses their mode.
        model.teachers.eval()
        if runner.cfg.get('activation_checkpointing'):
            # mmengine has wrapped the modules only by now.
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
            hub.update_info('teachers_trained', sorted(model.teachers_trained))
        self._trained = set(hub.get_info('teachers_trained', ()))
        # A run that only takes weights from a checkpoint is at iteration 0.
        if self._unfinished is not None and runner.iter:
            restore(model, runner.optim_wrapper, self._unfinished)
        self._unfinished = None

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None
    ) -> None:
        """Tell the model, for its ramp-up, the iterations since burn-in."""
        burn_in = getattr(runner.train_loop, 'burn_in_iters', 0)
        unwrap(runner.model).iteration = max(runner.iter - burn_in, 0)

    def momentum_at(self, step: int, learner: int = 0) -> float:
        """Momentum of a learner's teacher at a step, both from 0."""
        if not self.warm_up or learner in self._trained:
            return self.momentum
        return min(self.momentum, 1 - 1 / (step + 1))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[dict] = None,
    ) -> None:
        """Update teachers and prototypes if the optimisers stepped."""
        wrapper, model = runner.optim_wrapper, unwrap(runner.model)
        model.recomputed.put_back()
        if not wrapper.should_update():
            return
        skipped = self._left_out(wrapper)
        if skipped:
            for student, teacher in zip(model.students, model.teachers):
                mend_buffers(student, teacher)
        # Running statistics differ between ranks. Those of the students are
        # averaged, since a checkpoint holds those of one rank.
        buffers = model.students.buffers()
        all_reduce_params(
            # A generator, which a single process does not consume.
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
        # One synchronisation with a GPU, not one per student.
        for i, is_finite in enumerate(torch.stack(finite).tolist()):
            if not is_finite:
                raise FloatingPointError(
                    f'students.{i} is not finite after iteration '
                    f'{runner.iter + 1}; its teacher was not updated. Lower '
                    'the learning rate, set clip_grad, or use '
                    'MutualOptimWrapperConstructor, which skips such a step'
                )
        done = getattr(runner.train_loop, 'steps_since_restart', runner.iter)
        step = done // self._accumulated(wrapper)
        for i, state in enumerate(states):
            momentum = self.momentum_at(step, i)
            model.update_teachers(momentum, self.buffers, [state])
        if self.buffers == 'average':
            # The mean of two infinite values is not a number.
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
        """Whether the step, or that of one student, was skipped."""
        before, self._scale = self._scale, scale_of(wrapper)
        # A gradient scaler that skips a step lowers its scale.
        fell = self._scale < before
        return fell or bool(getattr(wrapper, 'last_skipped', ()))

    @staticmethod
    def _accumulated(wrapper: OptimWrapper) -> int:
        """Iterations per step of the optimisers."""
        return getattr(wrapper, 'leader', wrapper)._accumulative_counts

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save what is accumulated, if in the middle of a step."""
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper) or wrapper.should_update():
            return
        if get_world_size() == 1:
            model = unwrap(runner.model)
            checkpoint['unfinished_step'] = collect(model, wrapper)
            return
        count = self._accumulated(wrapper)
        print_log(
            'This checkpoint was saved within an accumulated step, without '
            'the gradients of the other processes, and a run resumed from it '
            'loses them. Make default_hooks.checkpoint.interval a multiple '
            f'of optim_wrapper.accumulative_counts={count}',
            logger='current',
            level=logging.WARNING,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember what was accumulated, for a resumed run."""
        self._unfinished = checkpoint.get('unfinished_step')
