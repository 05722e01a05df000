"""The commands of docs/your_data.md, on few and small images."""

import re
from pathlib import Path

from tests.test_docs.commands import bash_blocks, run_block

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'your_data.md'
# Fewer iterations, and networks that take no time.
SMALLER = (
    ('--iters 20', '--iters 2 --networks tiny --batch-size 2'),
    ('iter_20.pth', 'iter_2.pth'),
    ('photos/0001TP_006690.jpg', 'photos/00.png'),
)


def test_every_command_runs(clone, monkeypatch, run_command):
    blocks = bash_blocks(DOCUMENT, SMALLER)
    assert len(blocks) >= 7
    for block in blocks:
        run_block(block, monkeypatch, run_command)
    for name in (
        'data/mine/splits/val.txt',
        'data/mine/pspnet_segformer.py',
        'work_dirs/views/views_000.png',
        'work_dirs/supervised/iter_2.pth',
        'work_dirs/rml/iter_2.pth',
        'work_dirs/supervised/best_mIoU_iter_*.pth',
        'work_dirs/rml/best_mIoU_iter_*.pth',
        'work_dirs/report.html',
        'work_dirs/exported/rml_teachers_0.pth',
        'work_dirs/predictions/vis/00.png',
    ):
        (path,) = clone.glob(name)
        assert path.stat().st_size > 0, name


def test_every_file_it_names_exists():
    text = DOCUMENT.read_text()
    for name in set(re.findall(r'tools/[\w/]+\.py', text)):
        assert (ROOT / name).is_file(), name
