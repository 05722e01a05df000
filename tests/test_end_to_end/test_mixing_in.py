"""Components of the package in configs and code of plain mmseg."""

import copy

import torch
from mmengine.runner import Runner
from mmseg.registry import MODELS

from rml_mmseg.models import PrototypeRectifier


def supervised(cfg):
    """A stock FCN with CutMix and RandAugment, of the tiny config's parts."""
    cfg = copy.deepcopy(cfg)
    preprocessor = dict(
        cfg.model.data_preprocessor, type='SegDataPreProcessor'
    )
    labelled = cfg.train_dataloader.dataset.labelled
    *steps, pack = labelled.pipeline
    # Two images are mixed, so both must have one size, also small ones.
    labelled.pipeline = [*steps, dict(type='Pad', size=cfg.crop_size[::-1])]
    cfg.model = dict(cfg.cnn, data_preprocessor=preprocessor)
    cfg.model['test_cfg'] = dict(mode='whole')
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.train_dataloader.dataset = dict(
        type='MultiImageMixDataset',
        dataset=labelled,
        pipeline=[
            dict(type='PhotometricRandAugment'),
            dict(type='CutMix'),
            pack,
        ],
    )
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=2, val_interval=2
    )
    cfg.val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
    cfg.custom_hooks = []
    return cfg


def test_supervised_training_with_our_transforms(tiny_config):
    runner = Runner.from_cfg(supervised(tiny_config()))
    before = copy.deepcopy(runner.model.state_dict())
    batch = next(iter(runner.build_dataloader(runner._train_dataloader)))
    assert [tuple(i.shape) for i in batch['inputs']] == [(3, 32, 48)] * 2
    runner.train()
    assert runner.iter == 2
    key = 'decode_head.conv_seg.weight'
    assert not runner.model.state_dict()[key].equal(before[key])


def test_rectifier_in_user_code(tiny_config):
    cfg = supervised(tiny_config())
    model = MODELS.build(cfg.model).eval()
    images = torch.rand(2, 3, 32, 48)

    rectifier = PrototypeRectifier(num_classes=4, channels=8, momentum=0.99)
    seen = []
    model.decode_head.conv_seg.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    with torch.no_grad():
        logits = model(images)
        rectifier.update(seen[-1], logits.argmax(1))
        labels = rectifier(logits.softmax(1), seen[-1])

    present = logits.argmax(1).unique()
    assert labels.shape == (2, *logits.shape[-2:])
    assert set(labels.unique().tolist()) <= set(range(4))
    # The features of the first batch make the prototypes.
    for k in present:
        mean = seen[-1].transpose(0, 1)[:, logits.argmax(1) == k].mean(1)
        torch.testing.assert_close(rectifier.prototypes[k], mean)
    assert rectifier.initialised.nonzero()[:, 0].equal(present)
