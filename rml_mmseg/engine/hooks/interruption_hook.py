"""Leaving a run cleanly when a signal asks for it."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader

from rml_mmseg.setting_checks import did_you_mean

from ..shielded_worker import ShieldedWorker, shielded_forks
from .atomic_checkpoint_hook import AtomicCheckpointHook

# EX_TEMPFAIL of sysexits.h: not finished, to be tried again.
EXIT_CODE = 75
# Not every system has those of POSIX: names that are missing are left out.
SIGNALS = sorted(
    {*signal.Signals.__members__, 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU'}
)


@HOOKS.register_module()
class InterruptionHook(Hook):
    """Saves a checkpoint and exits when a signal asks for it.

    At the end of the iteration in which the signal arrives,
    ``AtomicCheckpointHook`` saves and the process exits with ``exit_code``.
    A single process also exits within a validation if a resumed run repeats
    it, as with ``StagedTrainLoop``, unless mmengine's ``EMAHook`` has put
    averaged weights into the network for it. Ranks agree on the iteration,
    so it is enough that one of them gets the signal, and they exit once the
    checkpoint is saved. Workers of data loaders ignore the signal, except
    those that a stock ``IterBasedTrainLoop`` starts for its training set.
    The same signal a second time does what it would do without the hook.

    Args:
        signals (Sequence[str]): Names of the signals; those unknown to the
            system are left out. Defaults to SIGTERM, SIGINT and SIGUSR1,
            which Slurm sends with ``--signal=USR1@120``.
        exit_code (int): Exit code in [1, 125] that tells scripts that the
            run was interrupted. Defaults to 75.

    Raises:
        ValueError: If a name is no signal, or the code is out of its range.
    """

    # After the hook that saves the checkpoint of the iteration.
    priority = 'LOWEST'

    def __init__(
        self,
        signals: Sequence[str] = ('SIGTERM', 'SIGINT', 'SIGUSR1'),
        exit_code: int = EXIT_CODE,
    ) -> None:
        unknown = [name for name in signals if name not in SIGNALS]
        if unknown:
            raise ValueError(
                'InterruptionHook.signals must be names such as "SIGTERM", '
                f'got {unknown}{did_you_mean(unknown[0], SIGNALS)}'
            )
        if type(exit_code) is not int or not 1 <= exit_code <= 125:
            raise ValueError(
                'InterruptionHook.exit_code must be in [1, 125], got '
                f'{exit_code!r}'
            )
        self.exit_code = exit_code
        self.numbers = [
            getattr(signal, name) for name in signals if hasattr(signal, name)
        ]
        self.received: Optional[int] = None
        self._previous: dict[int, Any] = {}
        self._process = -1

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers."""
        self.received = None
        self._process = os.getpid()
        for loop in (runner.train_loop, runner.val_loop):
            loader = getattr(loop, 'dataloader', None)
            if isinstance(loader, DataLoader):
                self.shield(loader)
        for number in self.numbers:
            try:
                self._previous[number] = signal.signal(number, self._receive)
            except ValueError:
                # Only the main thread of a program may install handlers.
                return

    def after_train(self, runner: Runner) -> None:
        """Restore the former signal handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def shield(self, loader: DataLoader) -> None:
        """Make workers that are still to start ignore the signals.

        Args:
            loader (DataLoader): Changed in place.
        """
        begin = loader.worker_init_fn
        if isinstance(begin, ShieldedWorker):
            return
        loader.worker_init_fn = ShieldedWorker(self.numbers, begin)
        method = multiprocessing.get_start_method()
        context = loader.multiprocessing_context
        if context is not None:
            method = context.get_start_method()
        if loader.num_workers and method == 'fork':
            loader.multiprocessing_context = shielded_forks(self.numbers)

    def _receive(self, number: int, frame: Any) -> None:
        # Forked processes inherit this handler, workers too at first.
        if os.getpid() != self._process:
            return
        self.received = number
        signal.signal(number, self._previous[number] or signal.SIG_DFL)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[dict] = None,
    ) -> None:
        """Exit if one of the ranks got a signal."""
        alone = get_world_size() == 1
        # Accumulated gradients of other ranks are not in a checkpoint.
        if not (alone or runner.optim_wrapper.should_update()):
            return
        told = torch.tensor(self.received or 0)
        if not alone:
            all_reduce(told, op='max')
        if told:
            self._leave(runner, int(told), runner.iter + 1)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Exit within a validation if a resumed run repeats it."""
        listening = bool(self._previous)
        if not (listening and self.received and get_world_size() == 1):
            return
        repeated = getattr(runner.train_loop, 'validates_again', False)
        # Then the averaged weights would be saved in place of the trained
        # ones.
        swapped = any(isinstance(hook, EMAHook) for hook in runner.hooks)
        if repeated and not swapped:
            self._leave(runner, self.received, runner.iter)

    def _leave(self, runner: Runner, number: int, iteration: int) -> None:
        saved = [
            hook.save_now(runner, iteration)
            for hook in runner.hooks
            if isinstance(hook, AtomicCheckpointHook)
        ]
        # One rank writes, and torchrun ends it when another has exited.
        barrier()
        newest = next((path for path in saved if path), None)
        goes_on = 'continues from it' if newest else 'starts again'
        runner.logger.warning(
            f'{signal.Signals(number).name} at iteration {iteration}: the '
            f'newest checkpoint is {newest!r}; exiting with code '
            f'{self.exit_code}. --resume {goes_on}'
        )
        self.after_train(runner)
        raise SystemExit(self.exit_code)


def stop_listening(runner: Runner) -> None:
    """Restore the former signal handlers, even after a failed training."""
    for hook in runner.hooks:
        if isinstance(hook, InterruptionHook):
            hook.after_train(runner)
