"""Suites: grids of runs whose scores end in one table."""

from .figures import (
    plot_curves,
    plot_gains,
    plot_ladder,
    plot_shares,
    save_figure,
)
from .files import check_files, check_runs
from .job import Job, shown_command
from .log_end import log_end
from .options import cfg_options
from .plan import find_targets, plan_runs, recorded_seeds
from .progress import (
    Progress,
    last_iteration,
    remaining_seconds,
)
from .results import collect_results, read_scores, sum_up
from .suite_file import check_seeds, load_suite
from .suite_run import SuiteRun
from .suite_scheduler import SuiteScheduler
from .table import to_markdown

__all__ = [
    'Job',
    'Progress',
    'SuiteRun',
    'SuiteScheduler',
    'cfg_options',
    'check_files',
    'check_runs',
    'check_seeds',
    'collect_results',
    'find_targets',
    'last_iteration',
    'load_suite',
    'log_end',
    'plot_curves',
    'plot_gains',
    'plot_ladder',
    'plot_shares',
    'plan_runs',
    'read_scores',
    'recorded_seeds',
    'remaining_seconds',
    'save_figure',
    'shown_command',
    'sum_up',
    'to_markdown',
]
