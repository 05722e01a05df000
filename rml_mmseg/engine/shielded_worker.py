"""Data loader workers that leave signals to the main process."""

import copy
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.context import BaseContext
from typing import Any, Callable, Optional


def shielded_forks(numbers: Sequence[int]) -> BaseContext:
    """Context that forks processes with the given signals blocked.

    Between its start and the call of its ``ShieldedWorker`` a worker would
    react to signals, and a killed worker spoils the exit code of the run.

    Args:
        numbers (Sequence[int]): Signal numbers.

    Returns:
        BaseContext: For ``multiprocessing_context`` of a ``DataLoader``.
    """
    context: Any = copy.copy(multiprocessing.get_context('fork'))
    kind = context.Process

    def shielded(*args: Any, **kwargs: Any) -> Any:
        process = kind(*args, **kwargs)
        start = process.start

        def blocked() -> None:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
            try:
                start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

        process.start = blocked
        return process

    context.Process = shielded
    return context


class ShieldedWorker:
    """A ``worker_init_fn`` that makes data loader workers ignore signals.

    A signal to all processes of a run would end its workers, and with them
    the run before it has saved, so the workers ignore it. A SIGTERM from the
    process that made this object, the loader's, still ends them: at exit
    Python sends it to the workers that are left and waits for them. SIGTERM
    is not ignored where the system cannot tell who sent it, as on macOS, nor
    where a library starts threads of its own in forked processes, as W&B
    does. Workers whose parent is gone end by themselves.

    Args:
        numbers (Sequence[int]): Signal numbers.
        then (Callable, optional): Function called next with the worker's
            number, such as another ``worker_init_fn``. Defaults to none.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        then: Optional[Callable[[int], Any]] = None,
    ) -> None:
        self.numbers = list(numbers)
        # Not the worker's parent process, which may be a fork server.
        self.parent = os.getpid()
        self.then = then

    def __call__(self, worker_id: int) -> None:
        """Set up the signals of the worker, then call ``then``."""
        for number in self.numbers:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN)
            elif hasattr(signal, 'sigwaitinfo'):
                # Blocked, it waits for the thread that checks its sender.
                signal.pthread_sigmask(signal.SIG_BLOCK, [number])
                threading.Thread(target=self._obey, daemon=True).start()
                continue
            if hasattr(signal, 'pthread_sigmask'):
                # `shielded_forks` may have blocked it.
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        if self.then is not None:
            self.then(worker_id)

    def _obey(self) -> None:
        """End the process at a SIGTERM from the loader's process only."""
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != self.parent:
            pass
        # As PyTorch's own handler does.
        os._exit(0)
