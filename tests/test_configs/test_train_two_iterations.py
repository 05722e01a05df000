"""A config of each family trains on generated data in its layout."""

import math
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import rml_mmseg  # noqa: F401  (registers the package)
from tests.test_configs.layouts import LAYOUTS
from tests.test_configs.small import (
    shrink_model,
    shrink_pixels,
    shrink_run,
)

FOLDER = Path(__file__).resolve().parents[2] / 'configs'
LEAVES = [
    'rml/deeplabv2_deeplabv2_city_1-8',
    'rml/deeplabv2_setr_city_1-8',
    'rml/setr_setr_city_1-30',
    'rml/deeplabv2_deeplabv2_city_1-8_1gpu',
    'rml/deeplabv2_deeplabv2_city_1-8_4gpu',
    'rml/deeplabv2_deeplabv2_city_1-8_8gpu',
    'rml/deeplabv2_deeplabv2_city_1-8_full-resolution',
    'rml/deeplabv2_deeplabv2_voc_1-20',
    'rml/deeplabv2-coco_deeplabv2-coco_voc_1-8',
    'rml/segformer_dinov2_city_1-8',
    'rml/convnext_dinov2_voc_1-8',
    'rml/segformer_dinov2-dpt_voc_1-8',
    'supervised/deeplabv2_city_1-4',
    'supervised/setr_city_full',
    'supervised/deeplabv2_voc_1-50',
    'supervised/deeplabv2-coco_voc_full',
    'ablations/iml_deeplabv2_deeplabv2_city_1-8',
    'ablations/iml_deeplabv2_setr_city_1-8',
    'camvid_480x360/rml_deeplabv2_vit_camvid_1-8',
    'camvid_480x360/supervised_vit_camvid_1-8',
    'camvid_480x360/unimatch_deeplabv2_camvid_1-8',
    'rivals/unimatch_v2_dinov2-dpt_voc_1-8',
    *(
        str(path.relative_to(FOLDER).with_suffix(''))
        for path in sorted(FOLDER.glob('*/*_camvid_*.py'))
        if path.parent.name != 'camvid_480x360'
    ),
]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Function that gives a config as it is, but tiny, with its data."""

    def make(leaf):
        data = tmp_path / 'data'
        data.mkdir()
        monkeypatch.setenv('DATA_ROOT', str(data))
        monkeypatch.setenv('FULL_DATA_ROOT', str(data / 'full'))
        # What a runner writes down takes longer than two tiny iterations.
        monkeypatch.setattr(Config, 'pretty_text', '')
        monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
        cfg = Config.fromfile(FOLDER / f'{leaf}.py')
        write, divisor = LAYOUTS[cfg.val_dataloader.dataset.type]
        write(cfg, data)
        shrink_model(cfg)
        shrink_pixels(cfg, divisor)
        shrink_run(cfg, iterations=2)
        cfg.work_dir = str(tmp_path / 'run')
        # Runners of one second would share a log otherwise.
        cfg.experiment_name = f'{leaf.replace("/", "_")}_{os.getpid()}'
        return cfg

    return make


FIGURE_4 = {
    'mean_teacher_deeplabv2': 'teachers.0',
    'direct_deeplabv2_deeplabv2': 'students.0',
    'iml_full-noise_deeplabv2_deeplabv2': 'teachers.0',
    'rml_deeplabv2_deeplabv2': 'teachers.0',
}


@pytest.mark.parametrize('row', FIGURE_4)
def test_figure_4_watches_the_pseudo_labels(row, tiny):
    cfg = tiny(f'ablations/{row}_city_1-8')
    monitors = [h for h in cfg.custom_hooks if 'Monitor' in h.type]
    monitors[0].interval = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    curve = f'train/monitor/{FIGURE_4[row]}/mIoU'
    assert 0 < runner.message_hub.get_scalar(curve).current() < 1


@pytest.mark.parametrize('leaf', LEAVES)
def test_train(leaf, tiny):
    cfg = tiny(leaf)
    runner = Runner.from_cfg(cfg)
    students = getattr(runner.model, 'students', [runner.model])
    before = [student.decode_head.conv_seg for student in students]
    before = [
        torch.cat([p.detach().flatten() for p in layer.parameters()])
        for layer in before
    ]
    runner.train()
    assert runner.iter == runner.max_iters >= 2
    hub = runner.message_hub
    for student, old in zip(students, before):
        new = [
            p.detach().flatten()
            for p in student.decode_head.conv_seg.parameters()
        ]
        assert not torch.equal(torch.cat(new), old)
    losses = hub.get_scalar('train/loss').data[0]
    assert len(losses) == runner.max_iters
    assert all(math.isfinite(value) for value in losses)
    names = {'mIoU'} | {
        f'{n}/mIoU' for n in getattr(runner.model, 'score', ())
    }
    for name in names:
        assert 0 <= hub.get_scalar(f'val/{name}').current() <= 100


def test_full_resolution_is_scored_by_its_name(tiny):
    cfg = tiny('rml/deeplabv2_deeplabv2_city_1-8_full-resolution')
    scores = Runner.from_cfg(cfg).test()
    assert 'full-resolution/mIoU' in scores and 'mIoU' not in scores
