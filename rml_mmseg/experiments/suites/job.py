"""A running training or test of a suite."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .progress import Progress, last_iteration, training_logs
from .suite_run import SuiteRun


def launched(script: Path | str, processes: int = 1) -> list[str]:
    """Arguments of Python that run a script, with torchrun if distributed.

    Args:
        script (Path | str): Python script.
        processes (int): Number of processes. Defaults to 1.
    """
    if processes == 1:
        return [str(script)]
    torchrun = ['-m', 'torch.distributed.run', '--standalone']
    return [*torchrun, f'--nproc_per_node={processes}', str(script)]


class Job:
    """A process that trains or tests a run, started on construction.

    It leads its own process group, so that signals also reach the workers of
    its data loaders. torchrun gives each of its processes such a group and
    passes on signals other than SIGKILL. The output is appended to
    `PART.log` in the run's folder.

    Args:
        run (SuiteRun): The run.
        part (str): 'train', 'test' or 'test_best'.
        script (Path): Python script to run.
        arguments (Sequence[str]): Its arguments.
        environment (dict[str, str]): Variables to set.
        keep_open (Sequence[int]): File descriptors to inherit. Defaults to
            none.
    """

    def __init__(
        self,
        run: SuiteRun,
        part: str,
        script: Path,
        arguments: Sequence[str],
        environment: dict[str, str],
        keep_open: Sequence[int] = (),
    ) -> None:
        self.run = run
        self.part = part
        self.log = run.folder / f'{part}.log'
        self._began = time.monotonic()
        self._timed = 'seconds' if part == 'train' else 'test_seconds'
        self._seconds_before = run.record.get(self._timed, 0.0)
        self._iterations_before = run.saved_iteration
        self._logs_before = training_logs(run.folder)
        command = [*launched(script, run.processes), *arguments]
        with self.log.open('ab') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-u', *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | environment,
                pass_fds=tuple(keep_open),
                start_new_session=True,
            )

    def save_time(self) -> None:
        """Save in the run how long it has been training or tested."""
        spent = time.monotonic() - self._began
        self.run.save(**{self._timed: self._seconds_before + spent})

    @property
    def progress(self) -> Progress:
        """Progress: How far the training is, and how fast."""
        begun = training_logs(self.run.folder) - self._logs_before
        done = max(last_iteration(begun), self._iterations_before)
        return Progress(
            method=self.run.method,
            target=self.run.target,
            done=done,
            measured=done - self._iterations_before,
            seconds=time.monotonic() - self._began,
        )

    def send(self, number: int) -> None:
        """Send a signal to the processes that are left."""
        leader, several = self.process.pid, self.run.processes > 1
        if not several:
            with suppress(ProcessLookupError):
                os.killpg(leader, number)
            return
        # torchrun passes SIGTERM on; a second one would keep them from saving.
        killed = descendants(leader) if number == signal.SIGKILL else []
        for pid in (leader, *killed):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, directly or indirectly.

    Args:
        pid (int): Process id.

    Returns:
        list[int]: Process ids; empty on a system without ``/proc``.
    """
    children: dict[int, list[int]] = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        with suppress(OSError):
            # A program's name may contain spaces and brackets.
            parent = int(path.read_text().rpartition(')')[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        own = children.get(waiting.pop(), [])
        found += own
        waiting += own
    return found


def shown_command(
    script: Path,
    arguments: Sequence[str],
    environment: dict[str, str],
    processes: int = 1,
) -> str:
    """Command to type in the current folder, without that folder's name.

    Args:
        script (Path): Python script.
        arguments (Sequence[str]): Its arguments.
        environment (dict[str, str]): Variables to set.
        processes (int): Number of processes. Defaults to 1.
    """
    variables = [f'{key}={shlex.quote(v)}' for key, v in environment.items()]
    command = [*launched(os.path.relpath(script), processes), *arguments]
    words = map(_shown, ['python', *command])
    return ' '.join([*variables, *words])


def _shown(word: str) -> str:
    quoted = shlex.quote(word)
    if quoted == word:
        return word.replace(f'{Path.cwd()}/', '"$PWD"/')
    return quoted
