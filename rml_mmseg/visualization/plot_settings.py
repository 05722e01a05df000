"""Settings of matplotlib that apply while a function runs."""

import functools
from typing import Any, Callable, TypeVar

Plot = TypeVar('Plot', bound=Callable)
# Names may hold dollar signs. A text keeps the setting it was made with.
PLAIN_TEXT: Any = {'text.parse_math': False}


def with_settings(settings: Any) -> Callable[[Plot], Plot]:
    """Decorator that applies settings while a function makes and draws text.

    Args:
        settings (dict): Entries of ``matplotlib.rcParams``.
    """

    def wrap(plot: Plot) -> Plot:
        @functools.wraps(plot)
        def run(*args: Any, **kwargs: Any) -> Any:
            # Only when something is drawn: it takes long to import.
            import matplotlib

            with matplotlib.rc_context(settings):
                return plot(*args, **kwargs)

        return run  # type: ignore[return-value]

    return wrap
