"""Progress bar for terminals."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from mmengine.utils import track_iter_progress

T = TypeVar('T')


def with_bar(items: Sequence[T]) -> Iterable[T]:
    """Iterate over items with a progress bar on standard error.

    There is no bar if standard error is not a terminal: a file would keep
    every step of it.

    Args:
        items (Sequence): Items to iterate over.
    """
    if not sys.stderr.isatty():
        return items
    return track_iter_progress(list(items), file=sys.stderr)
