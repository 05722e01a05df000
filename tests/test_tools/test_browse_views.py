import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from tools.analysis_tools import browse_views


def test_a_sheet_for_every_batch(tiny_config, tmp_path, call, capsys):
    config = ROOT / 'tests' / 'tiny_mutual.py'
    sheets = []
    for out in (tmp_path / 'a', tmp_path / 'b'):
        call(
            browse_views, config, '--out', out, '--number', 3,
            '--cfg-options', 'train_dataloader.num_workers=2',
        )  # fmt: skip
        names = ['views_000.png', 'views_001.png']
        assert sorted(path.name for path in out.iterdir()) == names
        sheets.append([cv2.imread(str(out / name)) for name in names])
    assert str(tmp_path / 'a/views_001.png') in capsys.readouterr().out
    # Two rows, then one; the same views each time.
    (first, second), again = sheets
    assert first.shape[0] > second.shape[0]
    assert np.array_equal(first, again[0])
    assert np.array_equal(second, again[1])


def test_supervised_config(tiny_config, tmp_path, call):
    cfg = tiny_config()
    cfg.train_dataloader.dataset = cfg.train_dataloader.dataset.labelled
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.model.data_preprocessor.type = 'SegDataPreProcessor'
    cfg.dump(tmp_path / 'plain.py')
    call(
        browse_views, tmp_path / 'plain.py', '--out', tmp_path / 'a',
        '--number', 1,
    )  # fmt: skip
    assert (tmp_path / 'a/views_000.png').stat().st_size > 1000


def test_a_config_of_data_alone(tiny_config, tmp_path, call):
    cfg = tiny_config()
    cfg.pop('model')
    cfg.dump(tmp_path / 'dataset_config.py')
    with pytest.raises(SystemExit, match='has no model. Give a training'):
        call(browse_views, tmp_path / 'dataset_config.py', '--out', tmp_path)


def test_missing_data_is_named(tiny_config, tmp_path, call, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(tmp_path / 'nowhere'))
    config = ROOT / 'tests' / 'tiny_mutual.py'
    with pytest.raises(SystemExit, match='nowhere'):
        call(browse_views, config, '--out', tmp_path / 'a')


def test_a_part_that_is_not_registered_is_named(tiny_config, tmp_path, call):
    config = ROOT / 'tests' / 'tiny_mutual.py'
    option = 'train_dataloader.dataset.labelled.pipeline.0.type=NoSuchStep'
    with pytest.raises(SystemExit, match='error: NoSuchStep is not in the'):
        call(
            browse_views, config, '--out', tmp_path / 'a',
            '--cfg-options', option,
        )  # fmt: skip
