"""mmseg's own tools run the plugin, and what is exported from it."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path(importlib.util.find_spec('mmseg').origin).parent / '.mim/tools'
# Run a tool where rml_mmseg cannot be imported. What keeps stock mmseg from
# working is still corrected: missing compiled operators by the workarounds,
# which run as a file; a torchvision built for another torch by hiding it.
ALONE = f"""
import importlib.util
import runpy
import sys

sys.modules['rml_mmseg'] = None
try:
    import torchvision
except ImportError:
    pass
except RuntimeError:
    sys.modules['torchvision'] = None
if importlib.util.find_spec('mmcv._ext') is None:
    sys.modules.pop('torchvision', None)
    runpy.run_path({str(ROOT / 'rml_mmseg' / 'compat.py')!r}, {{}}, 'compat')
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
assert sys.modules['rml_mmseg'] is None
print('rml_mmseg was never imported')
"""


def scores(text):
    """The last line of scores, as numbers by name."""
    line = re.findall(r'Iter\((?:val|test)\).*mIoU.*', text)[-1]
    found = re.findall(r'([\w./]+): ([\d.]+|nan)', line)
    return {k: float(v) for k, v in found if 'time' not in k}


@pytest.fixture
def config(tiny_config, tmp_path):
    # Dumped without bases, as in a run's work folder.
    tiny_config().dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


@pytest.mark.skipif(
    not STOCK.is_dir(), reason='mmseg was installed without its tools'
)
def test_train_test_export_and_test_alone(config, run_command, tmp_path):
    done = run_command(
        *(sys.executable, STOCK / 'train.py', config),
        *('--work-dir', tmp_path / 'work'),
    )
    trained = scores(done.stdout + done.stderr)
    learners = ('students.0', 'teachers.1', 'ensemble')
    assert {f'{name}/mIoU' for name in learners} < set(trained)
    checkpoint = tmp_path / 'work' / 'iter_4.pth'

    done = run_command(
        *(sys.executable, STOCK / 'test.py', config, checkpoint),
        *('--work-dir', tmp_path / 'tested'),
    )
    assert scores(done.stdout + done.stderr) == trained

    tool = ROOT / 'tools' / 'model_converters' / 'export_segmentor.py'
    out = tmp_path / 'exported'
    done = run_command(
        *(sys.executable, tool, config, checkpoint),
        *('--learner', 'teachers.1', '--out', out),
    )
    assert 'ran in a process that cannot import rml_mmseg' in done.stdout
    done = run_command(
        *(sys.executable, '-c', ALONE, STOCK / 'test.py'),
        *(out / f'tiny_teachers_1{end}' for end in ('.py', '.pth')),
        *('--work-dir', tmp_path / 'alone'),
    )
    assert 'rml_mmseg was never imported' in done.stdout
    alone = scores(done.stdout + done.stderr)
    assert set(alone) == {'aAcc', 'mIoU', 'mAcc'}
    assert alone == {key: trained[f'teachers.1/{key}'] for key in alone}
