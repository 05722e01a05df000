"""Errors that need no traceback, shown as their message alone."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

# Packages whose errors are written for authors of configs.
PACKAGES = ('__main__', 'rml_mmseg')
# The only error of a registry that names a part of the config.
UNREGISTERED = ' is not in the '
KINDS = (FloatingPointError, KeyError, OSError, TypeError, ValueError)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Exit with the message of an error that was raised for the user.

    All other errors, such as those of a network or a bug in this package,
    need their traceback and propagate unchanged.

    Raises:
        SystemExit: In place of an error that was raised for the user.
    """
    try:
        yield
    except Exception as error:
        if not says_all(error):
            raise
        text = error.args[0] if isinstance(error, KeyError) else error
        raise SystemExit(f'error: {text}') from error


def says_all(error: BaseException) -> bool:
    """Whether an error was raised on purpose, for a known cause.

    Args:
        error (BaseException): Error that was raised.
    """
    *_, (frame, line) = walk_tb(error.__traceback__)
    module = frame.f_globals.get('__name__', '')
    if module.startswith('mmengine.registry.'):
        return isinstance(error, KeyError) and UNREGISTERED in str(error)
    source = linecache.getline(frame.f_code.co_filename, line)
    known = module.partition('.')[0] in PACKAGES
    if not (known and source.strip().startswith('raise ')):
        return False
    cause = error.__cause__
    if type(error) is RuntimeError:
        # A failure within a network needs its traceback. A subclass of
        # RuntimeError, such as NotImplementedError, is a bug.
        return isinstance(cause, (type(None), OSError)) or says_all(cause)
    return isinstance(error, KINDS)
