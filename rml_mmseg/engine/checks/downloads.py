"""Weights that a run would download, where it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError


@contextmanager
def downloads_explained(cfg: Mapping[str, Any]) -> Iterator[None]:
    """Name the settings of weights that could not be downloaded.

    Args:
        cfg (Mapping): Whole config of a run.

    Raises:
        RuntimeError: In the place of an error of the connection.
    """
    try:
        yield
    except URLError as error:
        found = [
            f'  {place} = {value!r}'
            for key in ('model', 'load_from')
            for place, value in _addresses(cfg.get(key), key)
        ]
        raise RuntimeError(
            '\n'.join(
                [
                    f'pretrained weights cannot be downloaded ({error.reason})'
                    '. Of these, set those that are not there yet to a local '
                    'file, or to None for random weights (of init_cfg the '
                    'whole dict):',
                    *found,
                ]
            )
        ) from error


def _addresses(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """Settings that name weights somewhere else."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _addresses(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _addresses(value, f'{place}.{index}')
    elif isinstance(node, str) and '://' in node:
        yield place, node
