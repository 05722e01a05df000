"""The machine and versions that a measurement was made on."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import cv2
import mmcv
import mmengine
import mmseg
import torch


def processor_name() -> str:
    """Name of the CPU, as the system reports it."""
    try:
        lines = Path('/proc/cpuinfo').read_text('utf-8').splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def cpu_capability() -> str:
    """Instruction set that PyTorch uses, such as ``'AVX2'``."""
    if hasattr(torch.backends, 'cpu'):
        return torch.backends.cpu.get_cpu_capability()
    # PyTorch before 2.1.
    found = re.search(r'CPU capability usage: (\w+)', torch.__config__.show())
    return found[1] if found else ''


def describe_machine() -> dict[str, Any]:
    """Processor, devices, threads, load and versions.

    Returns:
        dict: JSON values only. ``load`` is the load average of the last
        minute, other processes included: if it is far above the threads of
        a benchmark, other work disturbed the wall-clock times.
    """
    cores = getattr(os, 'sched_getaffinity', lambda _: range(1))(0)
    return dict(
        processor=processor_name(),
        cores=len(cores),
        threads=torch.get_num_threads(),
        load=round(os.getloadavg()[0], 2),
        gpus=[
            torch.cuda.get_device_name(i)
            for i in range(torch.cuda.device_count())
        ],
        system=f'{platform.system()} {platform.release()}',
        python=platform.python_version(),
        torch=torch.__version__,
        cpu_capability=cpu_capability(),
        cuda=torch.version.cuda,
        mmengine=mmengine.__version__,
        mmcv=mmcv.__version__,
        mmseg=mmseg.__version__,
        opencv=cv2.__version__,
    )
