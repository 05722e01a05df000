"""Weights that are missing or damaged, by the name of their file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from ..whole_checkpoint import CheckpointError

# Functions of mmengine and of this package that read a file of that name.
LOADERS = ('load_from_local', 'load_optional')


@contextmanager
def unreadable_weights_explained() -> Iterator[None]:
    """Name the file of weights that cannot be read.

    Raises:
        CheckpointError: In the place of what PyTorch says, which may be of
            any kind and name no file.
    """
    try:
        yield
    except Exception as error:
        for frame, _ in walk_tb(error.__traceback__):
            if frame.f_code.co_name in LOADERS:
                path = frame.f_locals['filename']
                words = str(error).strip() or type(error).__name__
                raise CheckpointError(
                    f'the weights {path!r} cannot be read '
                    f'({words.splitlines()[0]}): look at the setting, or '
                    'the argument, that names them'
                ) from error
        raise
