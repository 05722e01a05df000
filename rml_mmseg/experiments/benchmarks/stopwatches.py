"""Breakdown of the time of an iteration."""

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import torch


class Stopwatches:
    """Adds up the time spent in named parts; an inner part pauses the outer.

    ``seconds`` holds wall-clock time by part, ``cpu_seconds`` CPU time.

    Args:
        device (torch.device): On CUDA, every switch waits for the device,
            so the sum exceeds the time of an undisturbed iteration.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self._stack: list[str] = []
        self._since = 0.0, 0.0

    def _switch(self) -> None:
        """Add the time since the last switch to the innermost part."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
        now = time.perf_counter(), time.process_time()
        if self._stack:
            part = self._stack[-1]
            for totals, time_now, before in zip(
                (self.seconds, self.cpu_seconds), now, self._since
            ):
                totals[part] = totals.get(part, 0.0) + time_now - before
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a part."""
        self._switch()
        self._stack.append(name)
        try:
            yield
        finally:
            self._switch()
            self._stack.pop()

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Add the time of every call of an object's method to a part."""
        call: Callable[..., Any] = getattr(owner, method)

        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return call(*args, **kwargs)

        setattr(owner, method, timed)
