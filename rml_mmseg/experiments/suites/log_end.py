"""The end of the log of a training or test, as one wants to read it."""

from __future__ import annotations

import re
from pathlib import Path

TAIL_LINES = 20
#: The table of hooks that mmengine prints once a run begins: its title, the
#: stages, the hooks by priority and the rules between stages.
HOOKS = re.compile(
    r'.*Hooks will be executed in the following order:\s*'
    r'|(before|after)_\w+:\s*'
    r'|\(\w+ *\) \w+\s*'
    r'|\s*-{20}\s*'
)


def log_end(path: Path, count: int = TAIL_LINES) -> list[str]:
    """The last lines of a log, without mmengine's table of hooks.

    Args:
        path (Path): Log.
        count (int): How many lines at most. Defaults to 20.
    """
    lines = path.read_text('utf-8', errors='replace').splitlines()
    kept = [line for line in lines if not HOOKS.fullmatch(line)]
    return kept[-count:]


def last_words(path: Path, length: int = 200) -> str:
    """The last line of a log that says anything, empty where none does.

    Args:
        path (Path): Log.
        length (int): Characters to keep at most. Defaults to 200.
    """
    said = [line.strip() for line in log_end(path) if line.strip()]
    return said[-1][:length] if said else ''
