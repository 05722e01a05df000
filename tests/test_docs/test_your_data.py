"""The commands of docs/your_data.md, on few and small images."""

import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_scene

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'your_data.md'
# Fewer iterations, and networks that take no time.
SMALLER = (
    ('--iters 20', '--iters 2 --networks tiny --batch-size 2'),
    ('iter_20.pth', 'iter_2.pth'),
    ('photos/0001TP_006690.jpg', 'photos/00.png'),
)


def commands():
    """Text of every block that is marked as bash."""
    blocks = re.findall(r'```bash\n(.*?)```', DOCUMENT.read_text(), re.S)
    assert len(blocks) >= 7
    for found, replaced in SMALLER:
        assert any(found in block for block in blocks), found
        blocks = [block.replace(found, replaced) for block in blocks]
    return blocks


def run_block(block, monkeypatch, run_command):
    """Run the one command of a block, a training in its own process."""
    command, _, text = block.partition("<<'END'\n")
    python, script, *arguments = shlex.split(command.replace('\\\n', ' '))
    assert python == 'python'
    if script == '-':
        code = text.removesuffix('END\n')
        exec(compile(code, str(DOCUMENT), 'exec'), {})
        return
    if script == 'tools/train.py':
        # A second Runner of a process would write to the first one's logs.
        run_command(sys.executable, script, *arguments)
        return
    monkeypatch.setattr(sys, 'argv', [script, *arguments])
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as end:
        assert not end.code


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


def test_every_command_runs(clone, monkeypatch, run_command):
    for block in commands():
        run_block(block, monkeypatch, run_command)
    for name in (
        'data/mine/splits/val.txt',
        'data/mine/pspnet_segformer.py',
        'work_dirs/views/views_000.png',
        'work_dirs/supervised/iter_2.pth',
        'work_dirs/rml/iter_2.pth',
        'work_dirs/report.html',
        'work_dirs/exported/rml_teachers_0.pth',
        'work_dirs/predictions/vis/00.png',
    ):
        assert (clone / name).stat().st_size > 0, name


def test_every_file_it_names_exists():
    text = DOCUMENT.read_text()
    for name in set(re.findall(r'tools/[\w/]+\.py', text)):
        assert (ROOT / name).is_file(), name
