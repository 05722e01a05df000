"""Errors of data sets without images, in words of the config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

# Where mmengine joins the items of a data set, which it cannot of none.
JOINS = '_serialize_data'


@contextmanager
def empty_data_explained() -> Iterator[None]:
    """Say of which data set there is no image.

    Raises:
        ValueError: The one that came, with the settings of the data set.
    """
    try:
        yield
    except ValueError as error:
        message = _explain(error)
        if message is None:
            raise
        raise ValueError(message) from error


def _explain(error: ValueError) -> str | None:
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == JOINS:
            dataset = frame.f_locals['self']
            if dataset.data_list:
                return None
            settings = {
                name: getattr(dataset, name, None)
                for name in ('data_root', 'data_prefix', 'ann_file')
            }
            return (
                f'a {type(dataset).__name__} has no image: look at its '
                + ', '.join(f'{k}={v!r}' for k, v in settings.items())
                + f' and img_suffix={getattr(dataset, "img_suffix", None)!r}'
            )
    return None
