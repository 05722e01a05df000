"""Files of runs: those they need, and those they were started with."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from rml_mmseg.engine.config_files import read_config

from .digests import merge_options, split_lists, take_digests
from .suite_run import SuiteRun


def check_files(runs: Iterable[SuiteRun]) -> None:
    """Check that the configs of runs and the lists in options exist.

    Lists of finished runs are not needed any more.

    Args:
        runs (Iterable[SuiteRun]): Runs.

    Raises:
        ValueError: If some are missing; the message has a line for each.
    """
    missing: dict[str, list[str]] = {}
    read = functools.cache(functools.partial(read_config, imports=False))
    for run in runs:
        if not Path(run.config).is_file():
            missing.setdefault(f'config {run.config}', []).append(run.name)
        elif run.status != 'finished' or run.untested:
            lists = split_lists(merge_options(read(run.config), run.options))
            for key, path in lists.items():
                if key in run.options and not path.is_file():
                    name = f'list {path}, option {key}'
                    missing.setdefault(name, []).append(run.name)
    if missing:
        lines = [
            f'{name}, of {names[0]}'
            + (f' and {len(names) - 1} more' if names[1:] else '')
            for name, names in missing.items()
        ]
        raise ValueError(
            f'no such files, relative to {Path.cwd()}:\n' + '\n'.join(lines)
        )


def check_runs(runs: Iterable[SuiteRun]) -> None:
    """Check that what is on disk belongs to the runs.

    Args:
        runs (Iterable[SuiteRun]): Runs.

    Raises:
        ValueError: If some were started with other settings, or their files
            changed since; the message has a line for each.
    """
    refused = []
    read = functools.cache(functools.partial(read_config, imports=False))
    for run in runs:
        try:
            run.check_settings()
            if 'digests' in run.record:
                cfg = read(run.config)
                run.check_settings(take_digests(cfg, run.options))
        except ValueError as error:
            refused.append(str(error))
    if refused:
        raise ValueError('\n'.join(refused))
