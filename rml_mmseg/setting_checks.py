"""Checks of settings; errors name the setting and the accepted values."""

import difflib
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint with the known name closest to an unknown one, or ''."""
    close = difflib.get_close_matches(name, known, n=1)
    return f'; did you mean {close[0]!r}?' if close else ''


def unknown_setting(owner: str, name: str, known: Sequence[str]) -> str:
    """Error message for a setting that its owner does not have."""
    hint = did_you_mean(name, known) or '.'
    return f'{owner} has no setting {name!r}{hint} Known: {known}'


def check_known(
    owner: str, names: Iterable[str], known: Sequence[str]
) -> None:
    """Refuse settings that their owner does not have.

    Raises:
        ValueError: If one is unknown; names it, the closest known setting
            and all known ones.
    """
    for name in names:
        if name not in known:
            raise ValueError(unknown_setting(owner, name, known))


def check_number(setting: str, value: Any, interval: str) -> None:
    """Refuse a value that is not a finite number in an interval.

    Args:
        setting (str): Name of the setting in a config.
        value (Any): Its value.
        interval (str): Such as ``'[0, 1)'``, with 0 and without 1.

    Raises:
        ValueError: If it is not; names setting, value and interval.
    """
    low, high = (float(end) for end in interval[1:-1].split(','))
    above = operator.ge if interval[0] == '[' else operator.gt
    below = operator.le if interval[-1] == ']' else operator.lt
    if not (is_number(value) and above(value, low) and below(value, high)):
        raise ValueError(
            f'{setting} must be a number in {interval}, got {value!r}'
        )


def check_count(setting: str, value: Any, least: int) -> None:
    """Refuse a value that is not an integer, or is below a minimum.

    Raises:
        ValueError: If it is refused; names setting, value and minimum.
    """
    if not is_number(value) or not isinstance(value, int) or value < least:
        raise ValueError(
            f'{setting} must be a whole number of {least} or more, '
            f'got {value!r}'
        )


def check_flag(setting: str, value: Any) -> None:
    """Refuse a value that is neither True nor False, such as a misspelt word.

    Raises:
        ValueError: If it is refused; names setting and value.
    """
    if not isinstance(value, bool):
        raise ValueError(f'{setting} must be True or False, got {value!r}')


def check_choice(setting: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a value that is not among the known ones.

    Raises:
        ValueError: If it is not; names setting, value and known values.
    """
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise ValueError(
            f'{setting}={value!r} is unknown{hint or "."} Known: {[*known]}'
        )


def list_of_names(setting: str, value: Any) -> list[str]:
    """Names as a list; refuses a string, which would give its letters.

    Raises:
        ValueError: If it is a string; names setting and value.
    """
    if isinstance(value, str):
        raise ValueError(f'{setting} must be a list of names, got {value!r}')
    return list(value)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; True and False are not."""
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return real and math.isfinite(value)
