"""Timing of several sides in one run, by turns.

``torch.utils.benchmark`` times one side after the other, so that what else
the machine does falls on one of them alone.
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
        call (Callable): What to time.
        device (torch.device): Where it computes; on CUDA, events are used
            and the call is waited for.

    Returns:
        tuple[float, float]: Elapsed and processor time, seconds.
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
    """Time all sides by turns, every second round in reversed order.

    Args:
        sides (Mapping): What to time, by name.
        rounds (int): Times that each side is timed.
        warm_up (int): Calls of each side before, which do not count.
        budget (float, optional): Seconds after which no further round
            begins; the first is always made, and with a budget the warm-up
            counts. Defaults to None: all rounds.
        device (str | torch.device): Where the sides compute.

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
