"""Stock inference with an exported learner, and with the whole model."""

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.apis import MMSegInferencer, inference_model, init_model
from mmseg.registry import MODELS

from rml_mmseg.models.export import export_config, learner_state
from tools import test as test_tool

CLASSES = ('sky', 'wall', 'road', 'tree')
PALETTE = [[0, 0, 255], [128, 0, 0], [90, 90, 90], [0, 128, 0]]


@pytest.fixture
def trained(tiny_config, tmp_path):
    """Config and checkpoint of the whole model and of its deployed learner."""
    cfg = tiny_config()
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for value in model.state_dict().values():
        if value.is_floating_point() and value.ndim > 1:
            torch.nn.init.normal_(value, std=0.1)
    meta = dict(dataset_meta=dict(classes=CLASSES, palette=PALETTE))
    whole = model.state_dict()
    own = learner_state(whole, 'teachers.0')
    # Name the test pipeline as the project's dataset and base configs do.
    cfg.test_pipeline = cfg.test_dataloader.dataset.pipeline
    for name, config, state in (
        ('wrapper', cfg, whole),
        ('exported', export_config(cfg, 'teachers.0'), own),
    ):
        config.dump(tmp_path / f'{name}.py')
        torch.save(dict(state_dict=state, meta=meta), tmp_path / f'{name}.pth')
    return tmp_path


def files(folder, name):
    return str(folder / f'{name}.py'), str(folder / f'{name}.pth')


@pytest.fixture
def images(trained):
    return sorted((trained / 'data' / 'img_dir' / 'val').glob('*.png'))


def test_both_predict_alike_from_files_and_arrays(trained, images):
    found = []
    for name in ('wrapper', 'exported'):
        model = init_model(*files(trained, name), device='cpu')
        single = inference_model(model, str(images[0]))
        batch = inference_model(model, [str(path) for path in images])
        assert len(batch) == len(images) == 2
        array = inference_model(model, cv2.imread(str(images[0])))
        assert single.pred_sem_seg.data.shape == (1, 48, 64)
        logits = single.seg_logits.data
        torch.testing.assert_close(logits, batch[0].seg_logits.data)
        torch.testing.assert_close(logits, array.seg_logits.data)
        found.append(logits)
    torch.testing.assert_close(*found)
    assert found[0].std() > 0


@pytest.mark.parametrize('name', ['wrapper', 'exported'])
def test_inferencer_on_an_image_and_a_folder(trained, images, name):
    inferencer = MMSegInferencer(*files(trained, name), device='cpu')
    single = inferencer(str(images[0]), show=False)['predictions']
    assert single.shape == (48, 64)
    folder, out = images[0].parent, trained / 'out'
    found = inferencer(str(folder), out_dir=str(out), batch_size=2)
    assert len(found['predictions']) == 2
    assert len(list((out / 'pred').iterdir())) == 2
    painted = sorted((out / 'vis').iterdir())
    assert [path.name for path in painted] == [p.name for p in images]
    assert cv2.imread(str(painted[0])).shape == (48, 64, 3)
    assert inferencer.visualizer.dataset_meta['classes'] is not None


def test_exported_learner_on_a_video(trained, images):
    path = str(trained / 'video.avi')
    codec = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(path, codec, 5, (64, 48))
    if not writer.isOpened():
        pytest.skip('OpenCV has no MJPG here')
    for image in images:
        writer.write(cv2.imread(str(image)))
    writer.release()
    model = init_model(*files(trained, 'exported'), device='cpu')
    found = [
        inference_model(model, frame).pred_sem_seg.data[0].numpy()
        for frame in mmcv.VideoReader(path)
    ]
    assert np.shape(found) == (2, 48, 64)


def test_a_config_without_test_pipeline_exports_one(trained):
    cfg = Config.fromfile(trained / 'wrapper.py')
    cfg = Config({k: v for k, v in cfg.items() if k != 'test_pipeline'})
    plain = export_config(cfg, 'teachers.0')
    assert plain.test_pipeline == cfg.test_dataloader.dataset.pipeline


def test_tta_of_the_wrapper_and_of_the_exported_learner(trained, images):
    scores = []
    for name in ('wrapper', 'exported'):
        config, checkpoint = files(trained, name)
        cfg = Config.fromfile(config)
        cfg.work_dir = str(trained / f'tta_{name}')
        cfg.experiment_name = f'tta_{name}_{trained.name}'
        cfg.tta_model = dict(type='SegTTAModel')
        cfg.tta_pipeline = [
            dict(type='LoadImageFromFile'),
            dict(
                type='TestTimeAug',
                transforms=[
                    [
                        dict(type='Resize', scale_factor=f, keep_ratio=True)
                        for f in (1.0, 1.5)
                    ],
                    [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
                    [dict(type='LoadAnnotations')],
                    [dict(type='PackSegInputs')],
                ],
            ),
        ]
        arguments = [config, checkpoint, '--tta']
        test_tool.apply_args(cfg, test_tool.parse_args(arguments))
        assert not cfg.model.module.get('test_cfg', {}).get('score')
        runner = Runner.from_cfg(cfg)
        scores.append(runner.test())
    wrapper, exported = scores
    assert wrapper['mIoU'] == exported['mIoU']
    assert not any(key.startswith('students') for key in wrapper)
