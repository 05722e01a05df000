"""The informative end of the log of a training or test."""

from __future__ import annotations

import re
from pathlib import Path

TAIL_LINES = 20
#: Table of hooks that mmengine prints at the start of a run: title, stages,
#: hooks by priority and the lines between stages.
HOOKS = re.compile(
    r'.*Hooks will be executed in the following order:\s*'
    r'|(before|after)_\w+:\s*'
    r'|\(\w+ *\) \w+\s*'
    r'|\s*-{20}\s*'
)


def log_end(path: Path, count: int = TAIL_LINES) -> list[str]:
    """Last lines of a log, without mmengine's table of hooks.

    Args:
        path (Path): Log.
        count (int): Maximum number of lines. Defaults to 20.
    """
    lines = path.read_text('utf-8', errors='replace').splitlines()
    kept = [line for line in lines if not HOOKS.fullmatch(line)]
    return kept[-count:]


def last_words(path: Path, length: int = 200) -> str:
    """Last line of a log that is not blank, '' if there is none.

    Args:
        path (Path): Log.
        length (int): Maximum number of characters. Defaults to 200.
    """
    said = [line.strip() for line in log_end(path) if line.strip()]
    return said[-1][:length] if said else ''
