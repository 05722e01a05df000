"""Small data sets, networks and batches that several tests share."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

import rml_mmseg  # noqa: F401  (registers the package)

# As `default_scope` of every config does.
init_default_scope('mmseg')

RUNS = itertools.count()
CLASSES = ('road', 'tree', 'sky')
PALETTE = [[0, 0, 0], [0, 255, 0], [0, 0, 255]]
METAINFO = dict(classes=CLASSES, palette=PALETTE)


def write_images(folder: Path, count: int, size=(8, 10), seed=0) -> None:
    """Images ``img/0.png`` and so on, and masks in ``ann`` that follow them.

    The class of a pixel is its blue value modulo three.
    """
    rng = np.random.default_rng(seed)
    for part in ('img', 'ann'):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image = rng.integers(1, 255, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'img' / f'{i}.png'), image)
        cv2.imwrite(str(folder / 'ann' / f'{i}.png'), image[..., 0] % 3)


def labelled_cfg(root: Path, steps=(), serialize_data=False) -> dict:
    # Serialising collects the garbage of the whole process each time.
    return dict(
        serialize_data=serialize_data,
        type='BaseSegDataset',
        data_root=str(root),
        data_prefix=dict(img_path='img', seg_map_path='ann'),
        img_suffix='.png',
        metainfo=METAINFO,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            *steps,
            dict(type='PackSegInputs'),
        ],
    )


def unlabelled_cfg(root: Path, steps=(), masks=False, views=None) -> dict:
    prefix = dict(img_path='img')
    if masks:
        prefix['seg_map_path'] = 'ann'
    return dict(
        type='UnlabelledSegDataset',
        serialize_data=False,
        data_root=str(root),
        data_prefix=prefix,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='MarkValid'),
            *steps,
            views or dict(type='WeakStrongViews'),
            dict(type='PackSemiSegInputs'),
        ],
    )


@MODELS.register_module(force=True)
class ToyBackbone(BaseModule):
    """Two convolutions; with a kernel of 1, pixels do not see each other."""

    def __init__(
        self,
        channels=4,
        kernel_size=1,
        stride=1,
        norm=False,
        dropout=0.0,
        init_cfg=None,
    ):
        super().__init__(init_cfg)
        half = kernel_size // 2
        self.first = nn.Conv2d(3, channels, kernel_size, padding=half)
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.second = nn.Conv2d(
            channels, channels, kernel_size, stride, padding=half
        )

    def forward(self, x):
        return (self.second(self.drop(self.norm(self.first(x)).relu())),)


def toy_segmentor(channels=4, num_classes=3, **backbone) -> dict:
    """Config of a stock EncoderDecoder over ``ToyBackbone``."""
    return dict(
        type='EncoderDecoder',
        backbone=dict(type='ToyBackbone', channels=channels, **backbone),
        decode_head=dict(
            type='FCNHead',
            in_channels=channels,
            in_index=0,
            channels=channels,
            num_convs=0,
            concat_input=False,
            dropout_ratio=0.0,
            num_classes=num_classes,
            norm_cfg=None,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    )


def toy_mutual(learners=2, seed=0, rectifier=True, segmentors=None, **kwargs):
    """A built model whose learners differ, with moved teachers."""
    torch.manual_seed(seed)
    if segmentors is None:
        segmentors = [toy_segmentor() for _ in range(learners)]
    if rectifier is True:
        rectifier = dict(type='PrototypeRectifier', momentum=0.5)
    model = MODELS.build(
        dict(
            type='MutualSemiSegmentor',
            segmentors=segmentors,
            rectifier=rectifier or None,
            data_preprocessor=dict(type='SemiSegDataPreProcessor'),
            **kwargs,
        )
    )
    for network in (*model.students, *model.teachers):
        for parameter in network.parameters():
            nn.init.normal_(parameter)
    for unit in model.rectifiers:
        unit.prototypes.normal_()
        unit.counts.fill_(1)
    model.ema_attached = True
    return model.train()


def sample_of(mask: torch.Tensor) -> SegDataSample:
    sample = SegDataSample(gt_sem_seg=PixelData(data=mask[None].long()))
    size = tuple(mask.shape)
    sample.set_metainfo(
        dict(img_path='x.png', ori_shape=size, img_shape=size, pad_shape=size)
    )
    return sample


def toy_batch(
    labelled=2, unlabelled=2, size=(6, 8), strong=2, seed=1, num_classes=3
):
    """Inputs and samples as the preprocessor gives them, all valid."""
    draw = torch.Generator().manual_seed(seed)

    def images(*shape):
        return torch.randn(*shape, 3, *size, generator=draw)

    masks = torch.randint(num_classes, (labelled, *size), generator=draw)
    inputs = dict(
        labelled=images(labelled),
        weak=images(unlabelled),
        strong=images(strong, unlabelled),
        valid=torch.ones(unlabelled, *size, dtype=torch.bool),
    )
    samples = dict(
        labelled=[sample_of(mask) for mask in masks],
        unlabelled=[SegDataSample() for _ in range(unlabelled)],
    )
    return inputs, samples


def toy_model_cfg(learners=2, rectifier=True, segmentors=None, **kwargs):
    """Config of a wrapper around small networks."""
    cfg = dict(
        type='MutualSemiSegmentor',
        segmentors=segmentors or [toy_segmentor() for _ in range(learners)],
        data_preprocessor=dict(
            type='SemiSegDataPreProcessor', mean=[128.0] * 3, std=[64.0] * 3
        ),
        **kwargs,
    )
    if rectifier:
        cfg['rectifier'] = dict(type='PrototypeRectifier', momentum=0.5)
    return cfg


def write_toy_sets(folder: Path) -> None:
    """The images that ``toy_runner`` trains on, where they are not yet."""
    for name, count in (('labelled', 3), ('unlabelled', 5), ('val', 2)):
        if not (folder / name).exists():
            write_images(folder / name, count, seed=count)


def semi_loader(labelled: dict, unlabelled: dict) -> dict:
    """Config of a loader of two labelled and two unlabelled images."""
    return dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='SemiSegSampler'),
        dataset=dict(
            type='SemiSegDataset', labelled=labelled, unlabelled=unlabelled
        ),
    )


def toy_runner(folder: Path, hooks=(), masks=False, **settings) -> Runner:
    """A real Runner over 3 labelled, 5 unlabelled and 2 other images."""
    write_toy_sets(folder)
    cfg = dict(
        default_scope='mmseg',
        work_dir=str(folder / 'work'),
        experiment_name=f'toy_{next(RUNS)}',
        model=toy_model_cfg(),
        train_dataloader=semi_loader(
            labelled_cfg(folder / 'labelled'),
            unlabelled_cfg(folder / 'unlabelled', (), masks),
        ),
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=4, val_interval=100
        ),
        optim_wrapper=dict(
            constructor='MutualOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.1),
        ),
        custom_hooks=[dict(type='MutualEMAHook', momentum=0.9)],
        default_hooks=dict(logger=None, checkpoint=None, timer=None),
        randomness=dict(seed=0),
        log_level='ERROR',
    )
    cfg.update(settings)
    runner = Runner.from_cfg(Config(cfg))
    for hook in hooks:
        runner.register_hook(hook, priority='LOWEST')
    return runner


def val_settings(folder: Path) -> dict:
    """Settings of ``toy_runner`` for validation."""
    return dict(
        val_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=labelled_cfg(folder / 'val'),
        ),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='LearnersIoUMetric'),
    )


def total(losses) -> torch.Tensor:
    """Sum of the losses, which is back-propagated."""
    return sum(v for name, v in losses.items() if 'loss' in name)


def pasted(tensor, boxes):
    """Paste box n into item n from the item before it."""
    mixed = tensor.clone()
    for n, (y1, x1, y2, x2) in enumerate(boxes.tolist()):
        mixed[n, ..., y1:y2, x1:x2] = tensor[n - 1, ..., y1:y2, x1:x2]
    return mixed


def shared_split(name: str) -> Path:
    """Path of a published split file; skip the test if it is missing."""
    root = Path(__file__).resolve().parents[1]
    path = root.parent / 'shared' / 'data' / 'splits' / name
    if not path.is_file():
        pytest.skip(f'needs {name} in shared/data/splits')
    return path
