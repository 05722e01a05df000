"""A tiny data set, a tiny config and ways to run them."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

# Tests check the CPU; only tests/test_cuda.py is for a GPU. This must be set
# before PyTorch is imported, which looks for GPUs.
if not os.environ.get('RML_TEST_GPU'):
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from mmengine.config import Config

import rml_mmseg  # noqa: F401  (registers what the config names)

ROOT = Path(__file__).resolve().parents[1]
COLOURS = np.array([[250, 90, 60], [60, 60, 170], [90, 90, 90], [40, 160, 40]])
RUNS = itertools.count()
# The networks are tiny, and a forked process cannot use the threads of its
# parent's pool.
torch.set_num_threads(1)
# No deadlines: on a shared machine the time of an example says nothing.
settings.register_profile(
    'laws', deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile('laws')


def write_scene(folder, split, name, generator, size=(48, 64)):
    """Four patches in a random order, each a class with noise."""
    height, width = size
    order = generator.permutation(4)
    mask = np.zeros(size, np.uint8)
    mask[: height // 2, width // 2 :] = 1
    mask[height // 2 :] += 2
    mask = order[mask].astype(np.uint8)
    image = COLOURS[mask] + generator.normal(0, 20, (*size, 3))
    image = image.clip(0, 255).astype(np.uint8)
    for kind, array in (('img_dir', image), ('ann_dir', mask)):
        path = folder / kind / split / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), array)


@pytest.fixture
def tiny_data(tmp_path):
    """Folder with 4 labelled, 6 unlabelled and 2 validation images."""
    folder = tmp_path / 'data'
    generator = np.random.default_rng(0)
    names = [f'{i:02}' for i in range(10)]
    for name in names:
        write_scene(folder, 'train', name, generator)
    for name in names[4:]:
        (folder / f'ann_dir/train/{name}.png').unlink()
    for name in names[:2]:
        write_scene(folder, 'val', name, generator)
    (folder / 'labelled.txt').write_text('\n'.join(names[:4]))
    (folder / 'unlabelled.txt').write_text('\n'.join(names[4:]))
    return folder


@pytest.fixture
def tiny_config(tiny_data, tmp_path, monkeypatch):
    """Function that gives the tiny config with some settings changed."""
    monkeypatch.setenv('DATA_ROOT', str(tiny_data))

    def make(options=None):
        cfg = Config.fromfile(ROOT / 'tests' / 'tiny_mutual.py')
        number = next(RUNS)
        cfg.work_dir = str(tmp_path / f'run_{number}')
        # Otherwise runners that start in the same second would share a log.
        cfg.experiment_name = f'tiny_{os.getpid()}_{number}'
        cfg.merge_from_dict(options or {})
        return cfg

    return make


@pytest.fixture
def run_command(tmp_path):
    """Function that runs a command with this checkout importable."""

    def run(*command, check=True, **environment):
        paths = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
        defaults = {
            'PYTHONPATH': paths,
            'PYTHON': sys.executable,
            'OMP_NUM_THREADS': '1',
        }
        done = subprocess.run(
            [str(part) for part in command],
            cwd=tmp_path,
            env=os.environ | defaults | environment,
            capture_output=True,
            text=True,
        )
        if check:
            # Only the end, because pytest cuts long output.
            printed = done.stdout + done.stderr
            assert done.returncode == 0, '\n'.join(
                [f'exit code {done.returncode}', printed[-4000:]]
            )
        return done

    return run
