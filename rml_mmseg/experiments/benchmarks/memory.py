"""Memory that a call needs beyond what is allocated already."""

import os
from pathlib import Path
from typing import Any, Callable, Union

import torch
from torch.profiler import ProfilerActivity, profile

# How PyTorch's profiler names the events of its allocators.
MEMORY_EVENT = '[memory]'


def peak_extra_bytes(
    call: Callable[[], Any], device: Union[str, torch.device] = 'cpu'
) -> int:
    """Peak size of the tensors that a call allocates.

    On CUDA it is the allocator's own figure; on a CPU, whose allocator has
    none, the running sum of allocations and frees seen by the profiler.

    Args:
        call (Callable): Function to measure. Its result counts too.
        device (str | torch.device): Device it computes on.

    Returns:
        int: Bytes above the level before the call.
    """
    device = torch.device(device)
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True
    ) as recorded:
        call()
    events = recorded.profiler.kineto_results.events()
    recorded_sizes = [e for e in events if e.name() == MEMORY_EVENT]
    level = peak = 0
    for event in sorted(recorded_sizes, key=_start):
        level += event.nbytes()
        peak = max(peak, level)
    return peak


def _start(event: Any) -> int:
    """Start time of a profiler event, in the unit of the PyTorch release."""
    # Older releases count microseconds; all events share one unit.
    known = hasattr(event, 'start_ns')
    return event.start_ns() if known else event.start_us()


def resident_bytes() -> int:
    """Resident memory of this process, bytes.

    Raises:
        FileNotFoundError: On a system without ``/proc``, where Python has
            no such figure.
    """
    pages = int(Path('/proc/self/statm').read_text('ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')
