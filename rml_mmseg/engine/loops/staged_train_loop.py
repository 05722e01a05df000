"""Training in stages, resumable at any iteration."""

import copy
import logging
from typing import Any, Optional, Union

from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmseg.registry import LOOPS
from torch import nn
from torch.utils.data import DataLoader

from rml_mmseg.datasets.seeding import derive_seed, seed_devices
from rml_mmseg.setting_checks import check_count, check_flag

from ..checks.classes import check_classes
from ..checks.config import check_checkpoint_hooks, sharded_message
from ..checks.trials import try_batch, try_validation
from ..hooks.interruption_hook import stop_listening
from ..unwrap import in_training, unwrap
from .draws import draws_before
from .stage_files import StageFiles, stage_files_of
from .stage_pass import run_stage_pass, try_stage_pass
from .stage_schedules import (
    all_optimizers,
    check_optimizers,
    check_schedules,
    restart_schedules,
)
from .training_dataloader import training_dataloader


@LOOPS.register_module()
class StagedTrainLoop(IterBasedTrainLoop):
    """Trains stages of equal length, one after another, in one run.

    At the start of a stage the prototypes are computed over all images
    (Eq. 10), the soft pseudo labels of the unlabelled set are made by the
    teachers as they are then (with ``semi_train_cfg.p0='stage'``), and the
    learning-rate schedule restarts (section 5.2 of RML). What is drawn in
    iteration i depends only on the run's seed, the rank and i, so a resumed
    run continues where it stopped, bit for bit on a CPU, without reading
    data twice.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Loader of the training set.
        iters_per_stage (int): Iterations of a stage.
        stages (int): Number of stages. Defaults to 1.
        burn_in_iters (int): Initial iterations of the first stage, in which
            the students learn from the labelled images alone, so that the
            first pseudo labels come from trained networks (section 3 of
            RML). Defaults to 0.
        val_interval (int): Iterations between validations. Defaults to
            1000.
        val_begin (int): First iteration to validate at. Defaults to 1.
        initialise (bool): Whether the prototypes are computed over all
            images at the start of a stage; otherwise the first batches
            make them. Defaults to True.
        restart_students (bool): Whether the students of a later stage
            restart from the weights they had when the first labels were
            made, taught by labels of the teachers they had. Defaults to
            False: they continue.

    Raises:
        ValueError: If a number is out of range, a schedule or the
            checkpoints count epochs, a schedule is already built, the runner
            shards models, or students restart without ``p0='stage'``.
    """

    dataloader_iterator: Any

    #: A resumed run repeats a validation that was due.
    validates_again = True

    def __init__(
        self,
        runner: Runner,
        dataloader: Union[DataLoader, dict],
        iters_per_stage: int,
        stages: int = 1,
        burn_in_iters: int = 0,
        val_interval: int = 1000,
        val_begin: int = 1,
        initialise: bool = True,
        restart_students: bool = False,
    ) -> None:
        for name, value, least in (
            ('stages', stages, 1),
            ('iters_per_stage', iters_per_stage, 1),
            ('val_interval', val_interval, 1),
            ('val_begin', val_begin, 0),
            ('burn_in_iters', burn_in_iters, 0),
        ):
            check_count(f'train_cfg.{name}', value, least)
        check_flag('train_cfg.initialise', initialise)
        check_flag('train_cfg.restart_students', restart_students)
        if burn_in_iters >= iters_per_stage:
            raise ValueError(
                'train_cfg.burn_in_iters must be less than iters_per_stage='
                f'{iters_per_stage}, got {burn_in_iters}'
            )
        if not isinstance(runner, Runner):
            raise ValueError(sharded_message())
        # Not from `runner.cfg`, which is empty if keywords built the runner.
        check_schedules(runner.param_schedulers, iters_per_stage)
        check_optimizers(runner)
        check_checkpoint_hooks(runner.hooks)
        self._schedules = copy.deepcopy(runner.param_schedulers)
        self.stages = stages
        self.burn_in_iters = burn_in_iters
        self.iters_per_stage = iters_per_stage
        self.initialise = initialise
        self.restart_students = restart_students
        self._stage_files: Optional[StageFiles] = None
        super().__init__(
            runner,
            # The parent starts its workers before any hook is called.
            training_dataloader(runner, dataloader),
            max_iters=stages * iters_per_stage,
            val_begin=val_begin,
            val_interval=val_interval,
        )
        self._stage_files = stage_files_of(
            unwrap(runner.model), runner.work_dir, self.dataloader
        )
        if restart_students and self._stage_files is None:
            raise ValueError(
                'train_cfg.restart_students=True needs '
                "model.semi_train_cfg.p0='stage': with online labels, "
                'restarted students would have restarted teachers'
            )

    @property
    def stage(self) -> int:
        """int: The stage of the current iteration, from 0."""
        return min(self._iter // self.iters_per_stage, self.stages - 1)

    @property
    def stage_iter(self) -> int:
        """int: Iteration within the stage, from 0."""
        return self._iter - self.stage * self.iters_per_stage

    @property
    def burn_in(self) -> int:
        """int: Iterations of the current stage without pseudo labels."""
        return self.burn_in_iters if self.stage == 0 else 0

    @property
    def steps_since_restart(self) -> int:
        """int: Iterations since the students last started or restarted."""
        if self.restart_students and self.stage > 0:
            return self.stage_iter
        return self._iter

    def run(self) -> nn.Module:
        """Train all stages."""
        try:
            return self._run()
        finally:
            stop_listening(self.runner)

    def _run(self) -> nn.Module:
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        model = unwrap(self.runner.model)
        if not getattr(model, 'ema_attached', False):
            # Otherwise MutualEMAHook has checked them, with any loop.
            check_classes(model, self.dataloader.dataset, self.runner.val_loop)
        try_batch(self.dataloader, self.runner.model)
        try_validation(self.runner.val_loop, self.dataloader.dataset)
        if self._iter < self._max_iters:
            self._resume_within_stage()
        else:
            print_log(
                f'Nothing is left to train: iteration {self._iter} of '
                f'{self._max_iters} is reached. To train longer, raise '
                'train_cfg.stages',
                logger='current',
                level=logging.WARNING,
            )
        if self._iter:
            # Nothing tells whether the run had ended before or after one.
            self._validate_if_due()
        self.runner.model.train()
        while self._iter < self._max_iters and not self.stop_training:
            if self.stage_iter == 0:
                self._begin_stage()
            if self.stage_iter == self.burn_in:
                self._begin_labels()
            self._train_on_next()
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _train_on_next(self) -> None:
        """Run one iteration, including the wait for its data."""
        if not in_training(self.runner.model):
            self.runner.model.train()
        self.run_iter(next(self.dataloader_iterator))

    def _validate_if_due(self) -> None:
        if (
            self.runner.val_loop is not None
            and self._iter >= self.val_begin
            and (
                self._iter % self.val_interval == 0
                or self._iter == self._max_iters
            )
        ):
            self.runner.val_loop.run()

    def run_iter(self, data_batch: dict) -> None:
        """Run one iteration, with a seed of its own."""
        seed_devices(derive_seed(self.runner.seed, get_rank(), self._iter))
        model = unwrap(self.runner.model)
        if hasattr(model, 'burning_in'):
            model.burning_in = self.stage_iter < self.burn_in
        super().run_iter(data_batch)

    def _resume_within_stage(self) -> None:
        """Restore data and labels of a resumed iteration."""
        sampler, hub = self.dataloader.sampler, self.runner.message_hub
        if not self._iter:
            # A resumed run has to draw what this one would have drawn.
            seed = getattr(sampler, 'seed', None)
            hub.update_info('sampler_seed', seed)
            self._draws()
            if self._stage_files is not None:
                self._stage_files.forget_labels()
            return
        if self.stage_iter > self.burn_in and self._stage_files is not None:
            self._stage_files.mend(self.stage)
        if not hasattr(sampler, 'skipped'):
            print_log(
                f'{type(sampler).__name__} cannot skip batches: reading the '
                f'{self._iter} that were already trained on',
                logger='current',
                level=logging.WARNING,
            )
            for _ in range(self._iter):
                next(self.dataloader_iterator)
            return
        sampler.seed = hub.get_info('sampler_seed', self.runner.seed)
        self._restart_data()

    def _draws(self) -> int:
        """Draws of all ranks before the current iteration."""
        each = (self.dataloader.batch_size or 1) * get_world_size()
        return draws_before(self.runner.message_hub, self._iter, each)

    def _restart_data(self) -> None:
        """Restart loading at the data of the current iteration."""
        loader = self.dataloader
        loader.sampler.skipped = self._draws()
        if self._stage_files is not None and self.stage_iter >= self.burn_in:
            loader.sampler.soft_labels = self._stage_files.folder(self.stage)
        self.dataloader_iterator = _InfiniteDataloaderIterator(loader)

    def _begin_stage(self) -> None:
        print_log(
            f'Stage {self.stage + 1} of {self.stages}: iterations '
            f'{self._iter} to {self._iter + self.iters_per_stage}',
            logger='current',
        )
        if self._schedules is not None:
            restart_schedules(
                self.runner, self._schedules, self.iters_per_stage
            )
        model = unwrap(self.runner.model)
        prototypes = self.initialise and len(getattr(model, 'rectifiers', ()))
        if self.burn_in and (prototypes or self._stage_files is not None):
            try_stage_pass(model, self.dataloader.dataset)

    def _begin_labels(self) -> None:
        """Let the teachers read all images before they teach."""
        model = unwrap(self.runner.model)
        if not hasattr(model, 'rectifiers'):
            return
        if self._stage_files is not None:
            restarts = self.restart_students and self.stage > 0
            prototypes = self.initialise and not restarts
            self._stage_files.begin(self.stage, prototypes)
            if restarts:
                self._restart_students()
            self._restart_data()
        elif self.initialise:
            run_stage_pass(model, self.dataloader.dataset)

    def _restart_students(self) -> None:
        """Reset students, teachers, optimisers and prototypes."""
        assert self._stage_files is not None
        self._stage_files.restart_students()
        for optimizer in all_optimizers(self.runner.optim_wrapper):
            optimizer.state.clear()
        model = unwrap(self.runner.model)
        for rectifier in model.rectifiers:
            # Prototypes must be of the networks in use, not of former ones.
            rectifier.forget()
        if self.initialise:
            run_stage_pass(model, self.dataloader.dataset)
