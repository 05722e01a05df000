"""Errors that say all there is to say, without the way they came."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

# Packages whose errors are written for those who write configs.
PACKAGES = ('__main__', 'rml_mmseg')
# Of a registry only this names a part of the config.
UNREGISTERED = ' is not in the '
KINDS = (FloatingPointError, KeyError, OSError, TypeError, ValueError)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Leave with the words of an error that was raised for the user.

    All others, as of a network or a fault of this package, are those for
    which one needs to know where they came from, and stay as they are.

    Raises:
        SystemExit: In the place of such an error.
    """
    try:
        yield
    except Exception as error:
        if not says_all(error):
            raise
        text = error.args[0] if isinstance(error, KeyError) else error
        raise SystemExit(f'error: {text}') from error


def says_all(error: BaseException) -> bool:
    """Whether an error was raised on purpose, and of nothing unknown.

    Args:
        error (BaseException): One that was raised.
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
        # Of what failed in a network the way is needed. A child of it, such
        # as NotImplementedError, is a fault.
        return isinstance(cause, (type(None), OSError)) or says_all(cause)
    return isinstance(error, KINDS)
