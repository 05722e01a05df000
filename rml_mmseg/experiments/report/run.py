"""A run as read from its work folder."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from rml_mmseg.models.utils.learner_cfg import is_semi

from ..class_tables import DEPLOYED, Scores, read_class_tables
from ..scalars import Curve, read_curves
from ..suites.suite_run import TESTS


@dataclass
class Run:
    """A run as read from its work folder.

    Attributes:
        name: Name to show, unique among the runs of a report.
        folder: The work folder.
        config: Its config, if readable.
        record: Content of a suite's ``run.json``, if it belongs to one.
        train: Training curves by name, without ``train/``.
        val: Validation curves by name.
        classes: Per-class scores of the last validation and test.
        test: Scores of the last test; for a run of a suite, of its last
            checkpoint, not of the best one.
        panels: Iteration and file of each picture of
            ``SemiSegVisualizationHook``.
        images: Content written by ``ImageScoresHook``.
        images_folder: Folder that the paths in ``images`` are relative to.
    """

    name: str
    folder: Path
    config: Optional[Config] = None
    record: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Curve] = field(default_factory=dict)
    val: dict[str, Curve] = field(default_factory=dict)
    classes: dict[str, Scores] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    panels: list[tuple[int, Path]] = field(default_factory=list)
    images: Optional[dict[str, Any]] = None
    images_folder: Optional[Path] = None

    @property
    def model(self) -> dict:
        """dict: Config of the model."""
        return (self.config or {}).get('model') or {}

    @property
    def is_semi(self) -> bool:
        """bool: Whether it learned from unlabelled images."""
        if self.config is None:
            return any(key.startswith('students.') for key in self.train)
        return is_semi(self.model)

    @property
    def deployed(self) -> str:
        """str: Name of the deployed learner, '' for a plain model."""
        if not self.is_semi:
            return DEPLOYED
        test_cfg = self.model.get('test_cfg') or {}
        return test_cfg.get('predict_on', 'teachers.0')

    @property
    def seed(self) -> Optional[int]:
        """int: Seed from the suite or the config, if any."""
        randomness = (self.config or {}).get('randomness') or {}
        return self.record.get('seed', randomness.get('seed'))

    @property
    def method(self) -> str:
        """str: Name of the suite's method, else of the config or folder."""
        return self.record.get('method') or self._stem or self.folder.name

    @property
    def split(self) -> str:
        """str: Name of the suite's split, '' if there is none."""
        return self.record.get('split') or ''

    @property
    def group(self) -> str:
        """str: Method and split, shared by runs with other seeds."""
        return f'{self.method} {self.split}'.strip()

    _stem: str = ''

    @property
    def tested_on_validation(self) -> bool:
        """bool: Whether it was tested on the validation images."""
        loaders = [
            (self.config or {}).get(f'{part}_dataloader') or {}
            for part in ('val', 'test')
        ]
        sets = [loader.get('dataset') for loader in loaders]
        if not self.test or None in sets:
            return False
        keys = ('data_root', 'data_prefix', 'ann_file', 'datasets')
        first, second = ([s.get(key) for key in keys] for s in sets if s)
        return bool(first == second)

    @property
    def iterations(self) -> Optional[int]:
        """int: Last iteration that was logged or validated, if any."""
        curves = [*self.train.values(), *self.val.values()]
        steps = [curve[-1][0] for curve in curves if curve]
        return max(steps, default=None)

    def score(self, name: str) -> Optional[float]:
        """Score of the deployed network at the last validation."""
        curve = self.val.get(name)
        return curve[-1][1] if curve else None

    def best(self, name: str) -> Optional[tuple[int, float]]:
        """Step and value of the highest validation score."""
        curve = self.val.get(name)
        return max(curve, key=lambda point: point[1]) if curve else None

    def lacks(self, name: str) -> list[str]:
        """Parts, ``'validation'`` or ``'test'``, scored without this score."""
        parts = {'validation': {*self.val}, 'test': {*self.test}}
        return [
            k for k, scores in parts.items() if scores and name not in scores
        ]

    def class_scores(self, mode: str, name: str) -> dict[str, float]:
        """Per-class score, such as IoU, of the deployed network, percent."""
        return self.classes.get(mode, {}).get(DEPLOYED, {}).get(name, {})


def has_scalars(folder: Path) -> bool:
    """Whether a work folder of mmengine has any logged scalars."""
    return bool(_scalar_files(folder))


def _scalar_files(folder: Path) -> list[Path]:
    return sorted(folder.glob('*/vis_data/scalars.json'))


def read_run(folder: Path, name: Optional[str] = None) -> Run:
    """Read a work folder of mmengine.

    Args:
        folder (Path): ``work_dir`` of the training.
        name (str, optional): Name to show; by default the folder's.

    Raises:
        FileNotFoundError: If no run was logged there.
    """
    folder = Path(folder)
    scalars = _scalar_files(folder)
    if not scalars:
        raise FileNotFoundError(
            f'{folder} holds no */vis_data/scalars.json: expected the '
            'work_dir of a training that has logged at least once and has '
            'a LocalVisBackend in vis_backends'
        )
    run = Run(name or folder.resolve().name, folder)
    run.train, run.val = read_curves(scalars)
    configs = sorted(folder.glob('*.py'))
    run._stem = configs[0].stem if configs else ''
    run.record = _read_record(folder / 'run.json')
    run.config = _read_config([scalars[-1].with_name('config.py'), *configs])
    for log in _of_runs(folder, '*.log'):
        text = log.read_text('utf-8', errors='replace')
        run.classes.update(read_class_tables(text.splitlines()))
    for path in _of_runs(folder, '*.json'):
        if path.stem == path.parent.name:
            run.test = _numbers(path) or run.test
    run.panels = _panels(folder)
    for path in _of_runs(folder, 'image_scores.json'):
        try:
            run.images = json.loads(path.read_text('utf-8'))
        except json.JSONDecodeError:
            # The run was stopped while it wrote the file.
            continue
        run.images_folder = path.parent
    return run


def _of_runs(folder: Path, name: str) -> list[Path]:
    """Files of the training and its tests, in the order of their start.

    A suite tests the last checkpoint in ``test``. The checkpoint tested in
    ``test_best`` is another one, so its files are left out.
    """
    found = [
        path
        for parent in (folder, folder / TESTS['last'][0])
        for path in parent.glob(f'*/{name}')
    ]
    return sorted(found, key=lambda path: (path.parent.name, path.name))


def _read_config(paths: list[Path]) -> Optional[Config]:
    """First config that can be read."""
    for path in paths:
        try:
            return Config.fromfile(path, import_custom_modules=False)
        except Exception:
            # A config is a program and may raise anything.
            continue
    return None


def _read_record(path: Path) -> dict[str, Any]:
    """A suite's record of its run; empty if the file is not of a suite."""
    try:
        found = json.loads(path.read_text('utf-8'))
    except (OSError, json.JSONDecodeError):
        return {}
    of_suite = isinstance(found, dict) and 'method' in found
    return found if of_suite else {}


def _numbers(path: Path) -> dict[str, float]:
    """Finite numbers in the JSON object of a file, by key."""
    try:
        found = json.loads(path.read_text('utf-8'))
    except json.JSONDecodeError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: float(value)
        for key, value in found.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


def _panels(folder: Path) -> list[tuple[int, Path]]:
    """Pictures of the first image by iteration; the latest run wins."""
    found = {}
    for path in sorted(folder.glob('*/vis_data/vis_image/panels_0_*.png')):
        match = re.fullmatch(r'panels_0_(\d+)', path.stem)
        if match:
            found[int(match[1])] = path
    return sorted(found.items())
