"""Training in stages, resumable at any iteration."""

import copy
import logging
from typing import Any, Union

import torch
from mmengine.dist import get_rank
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmseg.registry import LOOPS
from torch import nn
from torch.utils.data import DataLoader

from rml_mmseg.datasets.seeding import derive_seed

from ..unwrap import unwrap
from .prototype_pass import initialise_prototypes


@LOOPS.register_module()
class StagedTrainLoop(IterBasedTrainLoop):
    """Stage after stage of the same length in one run.

    At the start of a stage the prototypes are computed over all images
    (Eq. 10), and the learning-rate schedule starts again (section 5.2 of
    RML). What is drawn in iteration i depends on the run's seed, the rank
    and i alone, so a resumed run goes on where it stopped, bit for bit on
    a CPU, without reading data twice.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Of the training set.
        iters_per_stage (int): Iterations of a stage.
        stages (int): Number of stages. Defaults to 1.
        val_interval (int): Iterations between validations. Defaults to
            1000.
        val_begin (int): First iteration to validate at. Defaults to 1.
        initialise (bool): Whether the prototypes are computed over all
            images at the start of a stage; otherwise the first batches
            make them. Defaults to True.
        restart_students (bool): Whether a stage's students start again
            from the weights they had before the first stage, taught by
            the teachers they had. Defaults to False: they go on.

    Raises:
        ValueError: If a length is below 1.
    """

    dataloader_iterator: Any

    def __init__(
        self,
        runner: Runner,
        dataloader: Union[DataLoader, dict],
        iters_per_stage: int,
        stages: int = 1,
        val_interval: int = 1000,
        val_begin: int = 1,
        initialise: bool = True,
        restart_students: bool = False,
    ) -> None:
        for name, value in (
            ('stages', stages),
            ('iters_per_stage', iters_per_stage),
            ('val_interval', val_interval),
        ):
            if value < 1:
                raise ValueError(
                    f'train_cfg.{name} must be 1 or more, got {value}'
                )
        self.stages = stages
        self.iters_per_stage = iters_per_stage
        self.initialise = initialise
        self.restart_students = restart_students
        super().__init__(
            runner,
            dataloader,
            max_iters=stages * iters_per_stage,
            val_begin=val_begin,
            val_interval=val_interval,
        )

    @property
    def stage(self) -> int:
        """int: The stage of the current iteration, from 0."""
        return min(self._iter // self.iters_per_stage, self.stages - 1)

    @property
    def steps_since_restart(self) -> int:
        """int: Iterations since the students last began from scratch."""
        if self.restart_students:
            return self._iter - self.stage * self.iters_per_stage
        return self._iter

    def run(self) -> nn.Module:
        """Train all stages."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self._advance_data()
        while self._iter < self._max_iters and not self.stop_training:
            if self._iter % self.iters_per_stage == 0:
                self._begin_stage()
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            if (
                self.runner.val_loop is not None
                and self._iter >= self.val_begin
                and (
                    self._iter % self.val_interval == 0
                    or self._iter == self._max_iters
                )
            ):
                self.runner.val_loop.run()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: dict) -> None:
        """One iteration, with random numbers of its own."""
        torch.manual_seed(
            derive_seed(self.runner.seed, get_rank(), self._iter)
        )
        super().run_iter(data_batch)

    def _advance_data(self) -> None:
        """Go to the data of the current iteration after a resume."""
        if not self._iter:
            return
        loader = self.dataloader
        sampler = loader.sampler
        if not hasattr(sampler, 'skip'):
            print_log(
                f'{type(sampler).__name__} cannot skip: reading '
                f'{self._iter} batches that were trained on already',
                logger='current',
                level=logging.WARNING,
            )
            for _ in range(self._iter):
                next(self.dataloader_iterator)
            return
        sampler.seed = self.runner.seed
        sampler.skip(self._iter * loader.batch_size)
        self.dataloader_iterator = _InfiniteDataloaderIterator(loader)

    def _begin_stage(self) -> None:
        print_log(
            f'Stage {self.stage + 1} of {self.stages}: iterations '
            f'{self._iter} to {self._iter + self.iters_per_stage}',
            logger='current',
        )
        self._restart_schedule()
        if self.initialise:
            initialise_prototypes(
                unwrap(self.runner.model), self.dataloader.dataset
            )

    def _restart_schedule(self) -> None:
        """Put the schedulers back to their start, a stage long."""
        config = self.runner.cfg.get('param_scheduler')
        if config is None:
            return
        for group in all_param_groups(self.runner.optim_wrapper):
            for name in [key for key in group if key.startswith('initial_')]:
                group[name[len('initial_') :]] = group[name]
        self.runner.param_schedulers = self.runner.build_param_scheduler(
            with_default_end(config, self.iters_per_stage)
        )


def all_param_groups(optim_wrapper: OptimWrapper) -> list[dict]:
    """Parameter groups of one optimiser or of several."""
    groups = optim_wrapper.param_groups
    if isinstance(groups, dict):
        return [group for part in groups.values() for group in part]
    return groups


def with_default_end(config: Any, end: int) -> Any:
    """A scheduler config whose schedulers end with the stage.

    Args:
        config (dict | list): ``param_scheduler`` of a config: one
            scheduler, a list, or a dict of these by optimiser.
        end (int): Iterations of a stage.
    """
    if isinstance(config, (list, tuple)):
        return [with_default_end(item, end) for item in config]
    config = copy.deepcopy(dict(config))
    if 'type' not in config:
        return {key: with_default_end(v, end) for key, v in config.items()}
    if not config.get('by_epoch', True):
        config.setdefault('end', end)
    return config
