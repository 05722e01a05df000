"""Weights that are missing or damaged, by the name of their file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from mmengine.runner.checkpoint import load_from_local

from rml_mmseg.models.optional_weights import load_optional

from ..whole_checkpoint import CheckpointError, why_unreadable

# What reads a file; others may have a function of the same name.
LOADERS = (load_from_local.__code__, load_optional.__code__)


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
            if frame.f_code in LOADERS:
                path = frame.f_locals['filename']
                raise CheckpointError(
                    f'the weights {path!r} cannot be read '
                    f'({why_unreadable(error)}): look at the setting, or '
                    'the argument, that names them'
                ) from error
        raise
