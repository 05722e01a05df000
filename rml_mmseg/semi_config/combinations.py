"""Checks of which methods, networks and files go together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from .methods import RML, SUPERVISED, networks_of


def check_methods(
    methods: Sequence[str],
    stocks: int,
    learners: Optional[int] = None,
    burn_in: Optional[int] = None,
) -> None:
    """Refuse networks and lengths that the methods do not use.

    Args:
        methods (Sequence[str]): Keys of ``TITLES``.
        stocks (int): Number of stock configs.
        learners (int, optional): Value of ``--learners``.
        burn_in (int, optional): Value of ``--burn-in``, in iterations.

    Raises:
        ValueError: If an option does not fit; names it and what would be
            right.
    """
    names = ' '.join(methods)
    if learners is not None and list(methods) != [RML]:
        raise ValueError(
            f'--learners={learners} is only for --method {RML}; --method '
            f'{names} sets the number of learners. Leave it out'
        )
    if stocks == 2 and learners == 1:
        raise ValueError('--learners 1 needs one stock config, got two')
    if stocks > max(networks_of(name, learners) for name in methods):
        raise ValueError(
            f'--method {names} trains one network. Give one stock config, '
            f'got {stocks}'
        )
    if burn_in is not None and list(methods) == [SUPERVISED]:
        raise ValueError(
            f'--burn-in={burn_in} is for methods that use unlabelled images, '
            f'but --method {SUPERVISED} uses none. Leave it out'
        )


def check_output(
    methods: Sequence[str], out: Optional[Path], suite: Optional[Path]
) -> None:
    """Refuse output options that do not fit the number of methods.

    Args:
        methods (Sequence[str]): Keys of ``TITLES``.
        out (Path, optional): Value of ``--out``.
        suite (Path, optional): Value of ``--suite``.

    Raises:
        ValueError: If an option does not fit; names it and what would be
            right.
    """
    if (out is None) == (suite is None):
        raise ValueError(
            'give --out FILE.py for one method, or --suite FILE.py for several'
        )
    if out is not None and len(methods) > 1:
        raise ValueError(
            f'--out={out} is one config, but --method {" ".join(methods)} '
            'are several. Use --suite FILE.py instead'
        )
