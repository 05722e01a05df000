"""A run of a suite and its record on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rml_mmseg.datasets.whole_file import write_whole

from .digests import CONFIG
from .options import cfg_options, fill
from .progress import Progress

#: Score of the deployed learner; that of others is `LEARNER/mIoU`.
METRIC = 'mIoU'
#: Work folder and score key of each checkpoint that can be tested.
TESTS = dict(last=('test', 'scores'), best=('test_best', 'best_scores'))
#: Key of the IoU of each class, of the last checkpoint.
CLASS_IOUS = 'class_ious'


@dataclass(frozen=True)
class SuiteRun:
    """A method with a config and a seed, trained and tested once.

    Its record is the file `run.json` in its folder. The `status` is 'begun',
    'trained' or 'finished'; `failure` says why the latest training or test
    failed, if it did.

    Args:
        method (str): Name of the method.
        title (str): Name of the method in the table.
        split (str): Name of the split, empty if the suite has no splits.
        seed (int): Seed of the run.
        config (str): Config file.
        options (dict): Settings of the config to override, including the
            seed, with dots in the keys; `{cwd}` in a string stands for the
            current folder.
        folder (Path): Work folder.
        target (int, optional): Iterations to train for, if known.
        checkpoints (tuple[str, ...]): Checkpoints to test: 'last', 'best'
            or both. Defaults to 'last' alone.
        processes (int): Number of ranks that train it, each with the batch
            size of the config. Defaults to 1.
    """

    method: str
    title: str
    split: str
    seed: int
    config: str
    options: dict[str, Any]
    folder: Path
    target: int | None = None
    checkpoints: tuple[str, ...] = ('last',)
    processes: int = 1

    @property
    def name(self) -> str:
        """str: Unique name within the suite."""
        parts = (self.method, self.split, f'seed_{self.seed}')
        return '/'.join(part for part in parts if part)

    @property
    def settings(self) -> dict:
        """dict: Config, options and processes, as read back from JSON."""
        made: dict[str, Any] = dict(config=self.config, options=self.options)
        if self.processes > 1:
            made['processes'] = self.processes
        return json.loads(json.dumps(made))

    @property
    def record(self) -> dict:
        """dict: Content of `run.json`, empty before the run starts."""
        path = self.folder / 'run.json'
        if not path.exists():
            return {}
        try:
            found: dict = json.loads(path.read_text('utf-8'))
        except json.JSONDecodeError as error:
            raise ValueError(
                f'{path} is not JSON ({error}). Fix it, or delete the folder'
            ) from error
        return found

    def save(self, **changes: Any) -> None:
        """Update entries of `run.json`; entries set to None are removed.

        The file is replaced as a whole, so a kill cannot corrupt it.
        """
        identity = dict(method=self.method, split=self.split, seed=self.seed)
        record = identity | self.settings | self.record | changes
        record = {k: v for k, v in record.items() if v is not None}
        content = json.dumps(record, indent=1) + '\n'
        write_whole(str(self.folder / 'run.json'), content.encode())

    @property
    def status(self) -> str | None:
        """str: How far the run is, None before it starts."""
        return self.record.get('status')

    @property
    def checkpoint(self) -> str | None:
        """str: Path of the last checkpoint, None if there is none yet."""
        # Written by mmengine's CheckpointHook after each complete checkpoint.
        pointer = self.folder / 'last_checkpoint'
        if not pointer.exists():
            return None
        path = pointer.read_text('utf-8').strip()
        # The path is absolute: wrong after the folder was moved, and of no
        # use to readers of the commands on another machine.
        here = self.folder / Path(path).name
        return str(here) if here.exists() else path

    @property
    def saved_iteration(self) -> int:
        """int: Iteration of the last checkpoint, 0 if there is none."""
        return iteration_of(self.checkpoint)

    @property
    def best_checkpoint(self) -> str | None:
        """str: Checkpoint with the best validation, None if none yet."""
        # After a kill, an earlier and worse one may still exist.
        found = map(str, self.folder.glob(f'best_{METRIC}_iter_*.pth'))
        return max(found, key=iteration_of, default=None)

    @property
    def untested(self) -> list[str]:
        """list[str]: Checkpoints to test that have no scores yet."""
        record = self.record
        return [n for n in self.checkpoints if TESTS[n][1] not in record]

    @property
    def progress(self) -> Progress:
        """Progress: How far the run is, without a running process."""
        record = self.record
        if 'iterations' not in record:
            return Progress(self.method, self.target, self.saved_iteration)
        # Training is done, whatever the target is.
        done = record['iterations']
        seconds = record['seconds'] + record.get('test_seconds', 0.0)
        return Progress(self.method, done, done, done, seconds)

    def check_settings(self, digests: Mapping[str, str] | None = None) -> None:
        """Check that what is on disk belongs to this run.

        Args:
            digests (dict[str, str], optional): Current digests of its files,
                from :func:`take_digests`. Without them, or if none were
                saved when the run started, only settings are compared.

        Raises:
            ValueError: If it was started with another config or options, or
                if the content of its config or lists has changed.
        """
        record = self.record
        changes = _changes(record, self.settings) if record else []
        if changes:
            raise ValueError(
                f'{self.folder} was started with other settings: '
                f'{"; ".join(changes)}. Choose another --out, or '
                'delete the folder'
            )
        noted = record.get('digests', {})
        # A list that no longer exists has no digest and is not compared.
        files = [
            f'config {self.config} (or a base of it)'
            if key == CONFIG
            else f'list of {key}'
            for key, digest in (digests or {}).items()
            if noted.get(key, digest) != digest
        ]
        if files:
            raise ValueError(
                f'{self.folder}: the content of the '
                f'{" and the ".join(files)} has changed since it was started. '
                'Undo the change, choose another --out, or delete the folder; '
                'if the change does not matter, delete "digests" from its '
                'run.json'
            )

    def train_arguments(self) -> list[str]:
        """Arguments for tools/train.py, to start or to resume.

        Raises:
            ValueError: If an option cannot be given on a command line.
        """
        arguments = [self.config, '--work-dir', str(self.folder)]
        if self.checkpoint is not None:
            arguments += ['--resume', self.checkpoint]
        return [*arguments, *self._last_arguments()]

    def test_arguments(self, name: str = 'last') -> list[str]:
        """Arguments for tools/test.py.

        Args:
            name (str): Checkpoint to test, 'last' or 'best'. Defaults to
                'last'.

        Raises:
            ValueError: If an option cannot be given on a command line.
        """
        last = name == 'last'
        checkpoint = self.checkpoint if last else self.best_checkpoint
        return [
            *(self.config, checkpoint or 'CHECKPOINT'),
            *('--work-dir', str(self.folder / TESTS[name][0])),
            *self._last_arguments(),
        ]

    def _last_arguments(self) -> list[str]:
        launcher = ['--launcher', 'pytorch'] if self.processes > 1 else []
        options = cfg_options(fill(self.options, cwd=Path.cwd()))
        return [*launcher, '--cfg-options', *options]


def _changes(record: dict, settings: dict) -> list[str]:
    """Describe settings that differ between a record and now."""
    options = record.get('options', {})
    before, now = (
        dict(config=of.get('config'), processes=of.get('processes', 1))
        for of in (record, settings)
    )
    before, now = before | options, now | settings['options']
    changes = []
    for key in dict.fromkeys([*before, *now]):
        old, new = (
            repr(each[key]) if key in each else 'unset'
            for each in (before, now)
        )
        if old != new:
            changes.append(f'{key} was {old}, is {new}')
    return changes


def iteration_of(checkpoint: str | None) -> int:
    """Iteration in the name of a checkpoint, 0 if there is none.

    Args:
        checkpoint (str, optional): Path of the checkpoint.
    """
    found = re.search(r'iter_(\d+)\.pth$', checkpoint or '')
    return int(found.group(1)) if found else 0
