"""Code shared by the commands of ``tools/benchmarks``."""

from .machine import describe_machine
from .measured_loop import MeasuredLoop
from .memory import peak_extra_bytes, resident_bytes
from .paired import alternate, stopwatch
from .report import Report, add_report_arguments
from .stopwatches import Stopwatches
from .timing import Timing
from .trainings import (
    add_training_arguments,
    load_asked,
    load_training,
    run_measured,
)

__all__ = [
    'MeasuredLoop',
    'Report',
    'Stopwatches',
    'Timing',
    'add_report_arguments',
    'add_training_arguments',
    'alternate',
    'describe_machine',
    'load_asked',
    'load_training',
    'peak_extra_bytes',
    'resident_bytes',
    'run_measured',
    'stopwatch',
]
