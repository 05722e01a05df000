"""The table that the command prints."""

import pytest

from tests.versions import needs_flop_counter
from tools.analysis_tools import learners_summary

pytestmark = needs_flop_counter


def test_table_of_a_config(call, capsys, tiny_config, tmp_path):
    tiny_config().dump(tmp_path / 'tiny.py')
    call(learners_summary, tmp_path / 'tiny.py')
    told = capsys.readouterr().out
    for name in ('students.0', 'students.1', 'teachers.0', 'teachers.1'):
        assert name in told
    assert 'ResNet, FCNHead' in told
    assert 'VisionTransformer, SETRUPHead' in told
    assert 'moving average of students.0, deployed' in told
    assert 'One image of 32x48' in told


def test_shape_and_options(call, capsys, tiny_config, tmp_path):
    tiny_config().dump(tmp_path / 'tiny.py')
    call(
        learners_summary,
        *(tmp_path / 'tiny.py', '--shape', 64, 96),
        *('--cfg-options', 'model.test_cfg.predict_on=students.1'),
    )
    told = capsys.readouterr().out
    assert 'One image of 64x96' in told
    assert 'trained by gradients, deployed' in told


def test_what_is_no_model(call, tmp_path):
    (tmp_path / 'data.py').write_text('num_classes = 2')
    for name in ('data.py', 'gone.py'):
        with pytest.raises(SystemExit, match=f'error: .*{name}: '):
            call(learners_summary, tmp_path / name)
