"""Labelled amounts from the names of splits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def share_of(split: str) -> float | None:
    """Labelled share in the name of a split, None if it has none.

    Args:
        split (str): For example '1-8', an eighth, or 'full', 1.
    """
    if split == 'full':
        return 1.0
    try:
        share = float(Fraction(split.replace('-', '/')))
    except (ValueError, ZeroDivisionError):
        return None
    return share if 0 < share < 1 else None


def labelled_amounts(splits: Sequence[str]) -> tuple[dict[str, float], str]:
    """Labelled shares, or numbers of images, in the names of splits.

    Args:
        splits (Sequence[str]): Names such as '1-8', or '22', a number of
            images. 'full' is left out.

    Returns:
        tuple[dict[str, float], str]: Shares by split, or numbers of images
        if no name is a share, and an axis label.

    Raises:
        ValueError: If no name is a share or a number.
    """
    found = {s: share_of(s) for s in splits}
    shares = {s: v for s, v in found.items() if v is not None and v < 1}
    if shares:
        return shares, 'Labelled share'
    counts = {s: float(s) for s in splits if s.isdecimal() and int(s) > 0}
    if counts:
        return counts, 'Labelled images'
    raise ValueError(
        'shares: the names of splits must be shares such as 1-8, or '
        f'numbers of labelled images such as 22, got {list(splits)}'
    )
