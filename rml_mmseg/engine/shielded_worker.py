"""Workers of data loaders that leave signals to the main process."""

import copy
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.context import BaseContext
from typing import Any, Callable, Optional


def shielded_forks(numbers: Sequence[int]) -> BaseContext:
    """Forks processes that no signal ends before they have begun.

    Between its start and its ``ShieldedWorker`` a worker would heed signals,
    and one that is killed spoils the exit code of the run. They are blocked
    meanwhile.

    Args:
        numbers (Sequence[int]): The signals.

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
    """The start of a data loader's worker that signals do not end.

    A signal to all processes of a run would end its workers, and with them
    the run before it has saved. They ignore it. A SIGTERM of the process
    that made this object, the loader's, still ends them: it is how Python
    ends those that are left when a program ends, and it waits for them.
    SIGTERM is not ignored where the system cannot tell who sent it, as macOS,
    and where a library starts threads of its own in forked processes, as W&B
    does. Workers whose parent is gone end by themselves.

    Args:
        numbers (Sequence[int]): The signals.
        then (Callable, optional): Function of the worker's number to call
            next, as ``worker_init_fn`` of a ``DataLoader``.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        then: Optional[Callable[[int], Any]] = None,
    ) -> None:
        self.numbers = list(numbers)
        # Not the worker's own, which may be a server that forks.
        self.parent = os.getpid()
        self.then = then

    def __call__(self, worker_id: int) -> None:
        """Begin the worker."""
        for number in self.numbers:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN)
            elif hasattr(signal, 'sigwaitinfo'):
                # Blocked, it waits for the thread that asks who sent it.
                signal.pthread_sigmask(signal.SIG_BLOCK, [number])
                threading.Thread(target=self._obey, daemon=True).start()
                continue
            if hasattr(signal, 'pthread_sigmask'):
                # As it may be since before the worker began.
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        if self.then is not None:
            self.then(worker_id)

    def _obey(self) -> None:
        """End the process at a SIGTERM of the loader's, and at no other."""
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != self.parent:
            pass
        # As PyTorch's own handler does.
        os._exit(0)
