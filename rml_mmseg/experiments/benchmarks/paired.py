"""Alternating timing of several candidates in one run.

``torch.utils.benchmark`` times one candidate after the other, so a load peak
on the machine would affect only one of them.
"""

import time
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

import torch

from .timing import Timing

Call = Callable[[], Any]


def stopwatch(call: Call, device: torch.device) -> tuple[float, float]:
    """Time one call.

    Args:
        call (Callable): Function to time.
        device (torch.device): Device it computes on; on CUDA, events are
            used and the call is waited for.

    Returns:
        tuple[float, float]: Wall-clock and CPU time, seconds.
    """
    cpu = time.process_time()
    if device.type == 'cuda':
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        call()
        end.record()
        torch.cuda.synchronize(device)
        wall = start.elapsed_time(end) / 1000
    else:
        began = time.perf_counter()
        call()
        wall = time.perf_counter() - began
    return wall, time.process_time() - cpu


def alternate(
    sides: Mapping[str, Call],
    rounds: int = 10,
    warm_up: int = 1,
    budget: Optional[float] = None,
    device: Union[str, torch.device] = 'cpu',
) -> dict[str, Timing]:
    """Time all sides in turn, every second round in reverse order.

    Args:
        sides (Mapping): Functions to time, by name.
        rounds (int): Times that each side is timed. Defaults to 10.
        warm_up (int): Untimed calls of each side before. Defaults to 1.
        budget (float, optional): Seconds, warm-up included, after which no
            further round begins; the first round always runs. Defaults to
            None: all rounds.
        device (str | torch.device): Device the sides compute on. Defaults
            to ``'cpu'``.

    Returns:
        dict[str, Timing]: Times of every side.
    """
    device = torch.device(device)
    began = time.perf_counter()
    for _ in range(warm_up):
        for call in sides.values():
            call()
    timings = {name: Timing() for name in sides}
    order = list(sides.items())
    for _ in range(rounds):
        for name, call in order:
            wall, cpu = stopwatch(call, device)
            timings[name].wall.append(wall)
            timings[name].cpu.append(cpu)
        order.reverse()
        if budget is not None and time.perf_counter() - began > budget:
            break
    return timings
