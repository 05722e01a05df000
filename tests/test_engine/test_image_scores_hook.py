"""Scores of single images, by hand and of real validations."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from rml_mmseg.engine import ImageScoresHook
from rml_mmseg.engine.hooks.image_scores_hook import image_iou
from rml_mmseg.evaluation import LearnersIoUMetric
from tests.toys import CLASSES, PALETTE, toy_runner, val_settings


def test_iou_of_the_classes_that_the_truth_holds():
    truth = torch.tensor([[0, 0, 1, 255]])
    labels = torch.tensor([[0, 2, 1, 1]])
    found = image_iou(labels, truth, 3)
    # Class 2 is not in the ground truth, and the last pixel is ignored.
    assert found[:2].tolist() == [0.5, 1.0]
    assert found[2].isnan()


def sample(name, labels, truth):
    one = SegDataSample(
        pred_sem_seg=PixelData(data=torch.tensor([[labels]])),
        gt_sem_seg=PixelData(data=torch.tensor([[truth]])),
    )
    one.set_metainfo(dict(img_path=f'folder/{name}.png'))
    return one


@pytest.fixture
def runner(tmp_path):
    meta = dict(classes=CLASSES, palette=PALETTE)
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=meta))
    loop = SimpleNamespace(
        dataloader=loader, evaluator=SimpleNamespace(metrics=[])
    )
    return SimpleNamespace(
        val_loop=loop,
        test_loop=loop,
        log_dir=str(tmp_path / 'log'),
        iter=7,
        val_dataloader=loader,
        test_dataloader=loader,
    )


def read(runner):
    with open(f'{runner.log_dir}/image_scores.json') as file:
        return json.load(file)


def test_images_from_the_worst_to_the_best(runner):
    hook = ImageScoresHook(hardest=2)
    hook.before_val_epoch(runner)
    batches = [
        [sample('good', [0, 1], [0, 1]), sample('half', [0, 0], [0, 1])],
        [sample('bad', [2, 2], [0, 1]), sample('none', [0, 0], [255, 255])],
    ]
    for batch in batches:
        hook.after_val_iter(runner, 0, None, batch)
    hook.after_val_epoch(runner)
    found = read(runner)
    assert (found['mode'], found['iteration']) == ('val', 7)
    assert found['classes'] == list(CLASSES)
    assert found['palette'] == PALETTE
    # Half of class 0's union, nothing of class 1.
    assert [(i['img_path'], i['mIoU']) for i in found['images']] == [
        ('folder/bad.png', 0.0),
        ('folder/half.png', 0.25),
        ('folder/good.png', 1.0),
    ]
    worst, second = found['hardest']
    assert worst['IoU'] == {'road': 0.0, 'tree': 0.0}
    assert second['img_path'] == 'folder/half.png'
    for kind, labels in (('prediction', [[0, 0]]), ('truth', [[0, 1]])):
        with Image.open(f'{runner.log_dir}/{second[kind]}') as image:
            assert np.asarray(image).tolist() == labels
            # Shown in the colours of the classes.
            colours = np.asarray(image.convert('RGB')).tolist()
        assert colours == [[PALETTE[label] for label in labels[0]]]


def test_the_label_that_the_evaluator_ignores(runner):
    runner.val_loop.evaluator.metrics = [LearnersIoUMetric(ignore_index=0)]
    hook = ImageScoresHook()
    hook.after_val_iter(runner, 0, None, [sample('one', [1, 1], [0, 1])])
    hook.after_val_epoch(runner)
    assert read(runner)['hardest'][0]['IoU'] == {'tree': 1.0}


def test_the_next_epoch_starts_anew(runner):
    hook = ImageScoresHook()
    for name in ('first', 'second'):
        hook.before_test_epoch(runner)
        hook.after_test_iter(runner, 0, None, [sample(name, [0], [0])])
        hook.after_test_epoch(runner)
    found = read(runner)
    assert found['mode'] == 'test'
    assert [item['img_path'] for item in found['images']] == [
        'folder/second.png'
    ]


def test_images_that_processes_pad_with_count_once(runner, monkeypatch):
    name = 'rml_mmseg.engine.hooks.image_scores_hook.all_gather_object'
    monkeypatch.setattr(name, lambda part: [part, part])
    hook = ImageScoresHook()
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, None, [sample('one', [0], [0])])
    hook.after_val_epoch(runner)
    assert len(read(runner)['images']) == len(read(runner)['hardest']) == 1


def test_real_validations_of_the_deployed_learner(tmp_path):
    runner = toy_runner(
        tmp_path,
        custom_hooks=[
            dict(type='MutualEMAHook', momentum=0.9),
            dict(type='ImageScoresHook', hardest=1),
        ],
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=2, val_interval=2
        ),
        **val_settings(tmp_path),
    )
    runner.train()
    found = read(runner)
    assert len(found['images']) == 2
    (worst,) = found['hardest']
    assert worst['mIoU'] == found['images'][0]['mIoU']
    mask = worst['img_path'].replace('img', 'ann')
    with Image.open(f'{runner.log_dir}/{worst["truth"]}') as truth:
        assert np.array_equal(truth, cv2.imread(mask, 0))


def test_negative_number_of_images():
    with pytest.raises(
        ValueError, match='hardest must be .* 0 or more, got -1'
    ):
        ImageScoresHook(hardest=-1)
