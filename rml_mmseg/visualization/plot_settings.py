"""Settings of matplotlib that hold for all that a function does."""

import functools
from typing import Any, Callable, TypeVar

Plot = TypeVar('Plot', bound=Callable)
# Names may hold dollar signs, and text keeps how it was made.
PLAIN_TEXT: Any = {'text.parse_math': False}


def with_settings(settings: Any) -> Callable[[Plot], Plot]:
    """Let settings hold while a function makes text, and while it draws.

    Args:
        settings (dict): Entries of ``matplotlib.rcParams``.
    """

    def wrap(plot: Plot) -> Plot:
        @functools.wraps(plot)
        def run(*args: Any, **kwargs: Any) -> Any:
            # Only where something is drawn: it takes long to import.
            import matplotlib

            with matplotlib.rc_context(settings):
                return plot(*args, **kwargs)

        return run  # type: ignore[return-value]

    return wrap
