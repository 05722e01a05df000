"""The commands of docs/compare.md, on few and small images."""

import json
import re
from pathlib import Path

from rml_mmseg.semi_config import TITLES, networks_of
from tests.test_docs.commands import bash_blocks, run_block

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'compare.md'
SMALLER = (
    ('--iters 2000', '--iters 2'),
    ('--method all --seeds 0 1 2', '--method supervised rml --seeds 0'),
    ('--method all --splits', '--method cps classmix --splits'),
    ('--ratio 1/8', '--count 1'),
)


def test_every_command_runs(clone, monkeypatch, run_command):
    for block in bash_blocks(DOCUMENT, SMALLER):
        run_block(block, monkeypatch, run_command)
    suite = clone / 'work_dirs/suites/compare'
    rows = json.loads((suite / 'results.json').read_text())['rows']
    assert [row['runs'][0]['status'] for row in rows] == ['finished'] * 2
    for path in (
        'work_dirs/suites/compare/results.md',
        'work_dirs/suites/compare/compare_ladder.png',
        'work_dirs/suites/compare/compare_gains.png',
        'work_dirs/compare.html',
        'data/mine/drawings_cps.py',
    ):
        assert (clone / path).stat().st_size > 0, path


def test_its_table_has_all_methods():
    rows = re.findall(r'^\| `(\w+)` \| (\d) \|', DOCUMENT.read_text(), re.M)
    assert rows == [(name, str(networks_of(name))) for name in TITLES]
