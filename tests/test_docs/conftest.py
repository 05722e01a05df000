import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_scene

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with tools, configs, photos and masks, to work in."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    generator = np.random.default_rng(0)
    for i in range(8):
        write_scene(tmp_path / 'source', 'train', f'{i:02}', generator)
    shutil.move(tmp_path / 'source/img_dir/train', tmp_path / 'photos')
    (tmp_path / 'masks').mkdir()
    for i in range(4):
        name = f'{i:02}.png'
        shutil.move(
            tmp_path / 'source/ann_dir/train' / name, tmp_path / 'masks' / name
        )
    (tmp_path / 'names.txt').write_text('sky\nwall\nroad\ntree\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path
