from argparse import ArgumentParser

import pytest

from rml_mmseg.engine.command_line import add_runner_arguments, load_config


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'leaf.py').write_text('train_cfg = dict(max_iters=1)\n')
    parser = ArgumentParser()
    parser.add_argument('config')
    add_runner_arguments(parser)
    return lambda *args: load_config(parser.parse_args(['leaf.py', *args]))


def test_work_dir_is_the_option_the_config_s_or_its_name(load):
    assert load().work_dir == 'work_dirs/leaf'
    assert load('--cfg-options', 'work_dir=own').work_dir == 'own'
    assert load('--work-dir', 'mine/x').work_dir == 'mine/x'


def test_a_file_cannot_be_the_work_dir(load):
    for name in ('leaf.py', 'leaf.py/x/y'):
        with pytest.raises(ValueError, match='leaf.py is a file.*--work-dir'):
            load('--work-dir', name)
