"""A progress bar for those who look on."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from mmengine.utils import track_iter_progress

T = TypeVar('T')


def with_bar(items: Sequence[T]) -> Iterable[T]:
    """Items, with a progress bar on the error output.

    There is none where the error output is no terminal: in a file every
    step of the bar would stay.

    Args:
        items (Sequence): What to go through.
    """
    if not sys.stderr.isatty():
        return items
    return track_iter_progress(list(items), file=sys.stderr)
