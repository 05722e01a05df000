import re
from argparse import ArgumentParser
from pathlib import Path

import pytest
from mmengine.config import Config

from rml_mmseg.engine.config_files import (
    OptionsAction,
    override,
    read_config,
)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('base.py').write_text('a = 1\nb = dict(c=2)\n')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('x = 1\ny = (\n', 'SyntaxError: .*leaf.py, line 2'),
        ('x = 1\ny = z\n', "NameError: name 'z' .*leaf.py, line 2"),
        ("_base_ = './base.py'\nx = {{_base_.d}}\n", 'leaf.py'),
        ("_base_ = './gone.py'\n", 'gone.py'),
        ("_base_ = './base.py'\nb = [1]\n", None),
        (
            "custom_imports = dict(imports=['no_such_module'])",
            'a module that is not installed: .*no_such_module.*PYTHONPATH',
        ),
    ],
)
def test_the_place_of_an_error_is_named(text, message):
    Path('leaf.py').write_text(text)
    if message is None:
        assert read_config('leaf.py').b == [1]
        return
    with pytest.raises(ValueError, match='^leaf.py ') as caught:
        read_config('leaf.py')
    assert re.search(message, str(caught.value))


def test_the_base_that_fails_is_named():
    Path('base.py').write_text('a = 1\n\nb = 1 / 0\n')
    Path('leaf.py').write_text("_base_ = './base.py'\n")
    with pytest.raises(ValueError, match='ZeroDivision.*base.py, line 3'):
        read_config('leaf.py')


def test_imports_can_be_left_out():
    text = "custom_imports = dict(imports=['no_such_module'])"
    Path('leaf.py').write_text(text)
    assert 'custom_imports' in read_config('leaf.py', imports=False)


@pytest.fixture
def cfg():
    return Config(
        dict(
            train_cfg=dict(stages=2),
            hooks=[dict(type='A'), dict(type='B')],
            periods=[1, 2],
            seed=None,
        )
    )


def test_what_fits_is_overridden(cfg):
    override(
        cfg,
        {
            'hooks.1.type': 'C',
            'hooks.0': dict(interval=3),
            'new.part': 4,
            'seed': 5,
            'periods': [7],
            'train_cfg.stages': 1,
        },
    )
    assert cfg.to_dict() == dict(
        train_cfg=dict(stages=1),
        hooks=[dict(type='A', interval=3), dict(type='C')],
        periods=[7],
        seed=5,
        new=dict(part=4),
    )


@pytest.mark.parametrize(
    ('key', 'value', 'why'),
    [
        ('hooks.2.type', 'C', 'hooks is a list of 2 items, .* no .2.'),
        ('hooks.type', 'C', 'hooks is a list of 2 items, .* no .type.'),
        ('hooks.0.type.x', 1, "hooks.0.type is 'A', which has no 'x'"),
        ('seed.x', 1, "seed is None, which has no 'x'"),
        ('periods.0', 3, 'set the whole list'),
        ('hooks.0', 3, 'set the whole list'),
    ],
)
def test_what_does_not_fit_is_named(cfg, key, value, why):
    before = cfg.to_dict()
    with pytest.raises(ValueError, match=f'^options {key}={value!r} .*{why}'):
        override(cfg, {key: value}, 'options')
    assert cfg.to_dict() == before


def test_options_of_the_command_line(capsys):
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    args = parser.parse_args(['--cfg-options', 'a.b=1', 'c=[2,3]'])
    assert args.cfg_options == {'a.b': 1, 'c': [2, 3]}
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', 'a=1', 'train_cfg'])
    assert "--cfg-options: 'train_cfg' has no '='" in capsys.readouterr().err
