"""One or several runs as one HTML page."""

from .compare import Group, compare_groups
from .page import render_page
from .run import Run, has_scalars, read_run

__all__ = [
    'Group',
    'Run',
    'compare_groups',
    'has_scalars',
    'read_run',
    'render_page',
]
