import json

import pytest

from rml_mmseg.experiments.scalars import read_curves
from rml_mmseg.experiments.suites.curves import monitor_curves


@pytest.mark.parametrize('maker', ['teachers.0', 'students.0'])
def test_monitor_curves(tmp_path, maker):
    text = ''
    for step in (50, 100):
        entry = {f'monitor/{maker}/mIoU': step / 200, 'iter': step}
        text += json.dumps(entry | {'step': step}) + '\n'
    first, second = tmp_path / 'a.json', tmp_path / 'b.json'
    first.write_text(text + '{"monitor/total_variation": 1, "iter": 9')
    train, _ = read_curves([first])
    assert monitor_curves(train) == {'labels': [(50, 0.25), (100, 0.5)]}
    rest = '{"monitor/total_variation": 0.1, "iter": 150, "step": 150}'
    second.write_text(rest)
    train, _ = read_curves([first, second])
    assert monitor_curves(train)['coupling'] == [(150, 0.1)]
    assert monitor_curves({}) == {}
