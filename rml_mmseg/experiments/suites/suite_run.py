"""A run of a suite, and what is known about it on disk."""

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

#: Score of the deployed learner; the others' is `LEARNER/mIoU`.
METRIC = 'mIoU'
#: Names of what is tested: its work folder, and where its scores are noted.
TESTS = dict(last=('test', 'scores'), best=('test_best', 'best_scores'))
#: Where the IoU of each class is noted, of the last checkpoint.
CLASS_IOUS = 'class_ious'


@dataclass(frozen=True)
class SuiteRun:
    """A method with a config and a seed, trained and tested once.

    All that is known about it is in the file `run.json` of its folder; its
    `status` is 'begun', 'trained' or 'finished', and `failure` says why its
    latest training or test failed, where it did.

    Args:
        method (str): Name of the method.
        title (str): What the table calls the method.
        split (str): Name of the split, empty where there is one only.
        seed (int): Seed of the run.
        config (str): Config file.
        options (dict): Settings of the config to override, with dots in
            the keys, the seed among them; `{cwd}` in a string stands for
            the current folder.
        folder (Path): Work folder.
        target (int, optional): Iterations to train for, if known.
        checkpoints (tuple[str, ...]): What is tested: 'last', 'best' or
            both. Defaults to the last one.
        processes (int): Processes that train it together, each with the
            batch of the config. Defaults to 1.
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
        """str: Name that no other run of the suite has."""
        parts = (self.method, self.split, f'seed_{self.seed}')
        return '/'.join(part for part in parts if part)

    @property
    def settings(self) -> dict:
        """dict: What the run is made of, as JSON gives it back."""
        made: dict[str, Any] = dict(config=self.config, options=self.options)
        if self.processes > 1:
            made['processes'] = self.processes
        return json.loads(json.dumps(made))

    @property
    def record(self) -> dict:
        """dict: Content of `run.json`, empty before the run has begun."""
        path = self.folder / 'run.json'
        if not path.exists():
            return {}
        try:
            found: dict = json.loads(path.read_text('utf-8'))
        except json.JSONDecodeError as error:
            raise ValueError(
                f'{path} is no JSON ({error}): mend it, or delete the folder'
            ) from error
        return found

    def save(self, **changes: Any) -> None:
        """Change entries of `run.json`; those that are None are removed.

        The file is whole at any time, so a kill cannot lose it.
        """
        identity = dict(method=self.method, split=self.split, seed=self.seed)
        record = identity | self.settings | self.record | changes
        record = {k: v for k, v in record.items() if v is not None}
        content = json.dumps(record, indent=1) + '\n'
        write_whole(str(self.folder / 'run.json'), content.encode())

    @property
    def status(self) -> str | None:
        """str: How far the run is, None before it has begun."""
        return self.record.get('status')

    @property
    def checkpoint(self) -> str | None:
        """str: The last checkpoint, None where there is none yet."""
        # Written by mmengine's CheckpointHook once a checkpoint is whole.
        pointer = self.folder / 'last_checkpoint'
        if not pointer.exists():
            return None
        path = pointer.read_text('utf-8').strip()
        # An absolute path, which is no longer true in a folder that was
        # moved, and says nothing to those who read the commands elsewhere.
        here = self.folder / Path(path).name
        return str(here) if here.exists() else path

    @property
    def saved_iteration(self) -> int:
        """int: Iteration of the last checkpoint, 0 where there is none."""
        return iteration_of(self.checkpoint)

    @property
    def best_checkpoint(self) -> str | None:
        """str: What validation chose, None where there is none yet."""
        # A kill can leave the one before, which was not as good, behind.
        found = map(str, self.folder.glob(f'best_{METRIC}_iter_*.pth'))
        return max(found, key=iteration_of, default=None)

    @property
    def untested(self) -> list[str]:
        """list[str]: Those of `checkpoints` that have no scores yet."""
        record = self.record
        return [n for n in self.checkpoints if TESTS[n][1] not in record]

    @property
    def progress(self) -> Progress:
        """Progress: How far the run is, with no process at work on it."""
        record = self.record
        if 'iterations' not in record:
            return Progress(self.method, self.target, self.saved_iteration)
        # Nothing is left to train, whatever the target was taken to be.
        done = record['iterations']
        seconds = record['seconds'] + record.get('test_seconds', 0.0)
        return Progress(self.method, done, done, done, seconds)

    def check_settings(self, digests: Mapping[str, str] | None = None) -> None:
        """Make sure that what is on disk belongs to this run.

        Args:
            digests (dict[str, str], optional): Those of its files by now, of
                :func:`take_digests`. By default only settings are compared,
                as where none were noted when the run began.

        Raises:
            ValueError: If it was begun with another config or options, or
                if the content of its config or lists was another one.
        """
        record = self.record
        changes = _changes(record, self.settings) if record else []
        if changes:
            raise ValueError(
                f'{self.folder} was begun with other settings than the suite '
                f'has now: {"; ".join(changes)}: choose another --out, or '
                'delete the folder'
            )
        noted = record.get('digests', {})
        # A list that is not there any more cannot have been changed.
        files = [
            f'config {self.config}, or a base of it,'
            if key == CONFIG
            else f'list of {key}'
            for key, digest in (digests or {}).items()
            if noted.get(key, digest) != digest
        ]
        if files:
            raise ValueError(
                f'{self.folder} was begun when the {" and the ".join(files)} '
                'had another content: undo the change, choose another --out, '
                'or delete the folder; where the change does not matter, '
                'delete "digests" from its run.json'
            )

    def train_arguments(self) -> list[str]:
        """Arguments for tools/train.py, to begin or to go on.

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
            name (str): Which checkpoint, 'last' or 'best'. Defaults to
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
    """What the settings of a record were, where they are others now."""
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
    """Iteration in the name of a checkpoint, 0 where there is none.

    Args:
        checkpoint (str, optional): Its path.
    """
    found = re.search(r'iter_(\d+)\.pth$', checkpoint or '')
    return int(found.group(1)) if found else 0
