"""Text templates for the configs of a data set."""

DATA = """# The data set in this folder; the folder can be moved.
data_root = "{{{{ fileDirname }}}}"
num_classes = {num_classes}
metainfo = dict(
    classes=(
{classes}    ),
    palette=[
{palette}    ],
)
# Images are resized to scale (width, height); crops are (height, width).
scale = {scale}
crop_size = {crop_size}
geometry = [
    dict(
        type='RandomResize',
        scale=scale,
        ratio_range=(0.75, 1.5),
        keep_ratio=True,
    ),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    *geometry,
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
unlabelled_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MarkValid'),
    *geometry,
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='WeakStrongViews',
        strong=[dict(type='PhotometricRandAugment', magnitude_level=5)],
        num_strong=2,
    ),
    dict(type='CutMix'),
    dict(type='PackSemiSegInputs'),
]
image_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
# The views of test.py --tta.
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=size, keep_ratio=True)
                for size in {tta_scales}
            ],
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
            ],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
labelled_dataset = dict(
    type='BaseSegDataset',
    data_root=data_root,
    metainfo=metainfo,
    img_suffix={suffix!r},
    ann_file='splits/labelled.txt',
    data_prefix=dict(img_path='img_dir/train', seg_map_path='ann_dir/train'),
    pipeline=train_pipeline,
)
unlabelled_dataset = dict(
    type='UnlabelledSegDataset',
    data_root=data_root,
    metainfo=metainfo,
    img_suffix={suffix!r},
    ann_file='splits/unlabelled.txt',
    data_prefix=dict(img_path='img_dir/train'),
    pipeline=unlabelled_pipeline,
)
train_dataloader = dict(
    batch_size={batch_size},
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=labelled_dataset,
)
"""
SCORED_SET = """{split}_dataset = dict(
    type='BaseSegDataset',
    data_root=data_root,
    metainfo=metainfo,
    img_suffix={suffix!r},
    ann_file='splits/{split}.txt',
    data_prefix=dict(
        img_path='img_dir/{split}', seg_map_path='ann_dir/{split}'
    ),
    pipeline=test_pipeline,
)
{split}_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset={split}_dataset,
)
{split}_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
"""
# Without test images, those for validation take their place.
NO_TEST = """test_dataloader = val_dataloader
test_evaluator = val_evaluator
"""
IMAGE_SCORES = """custom_hooks = [dict(type='ImageScoresHook')]
"""
SEMI = """train_dataloader = dict(
    sampler=dict(_delete_=True, type='SemiSegSampler'),
    dataset=dict(
        _delete_=True,
        type='SemiSegDataset',
        labelled=_base_.labelled_dataset,
        unlabelled=_base_.unlabelled_dataset,
        image_pipeline=_base_.image_pipeline,
    ),
)
"""
OPTIMISER = """optim_wrapper = dict(
    type='OptimWrapper',
{constructor}    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
{paramwise})
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, by_epoch=False)
]
"""
CONSTRUCTOR = """    constructor='MutualOptimWrapperConstructor',
"""
PARAMWISE = """    # Lower rates for pretrained backbones and transformers.
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.25), neck=dict(lr_mult=0.25))
    ),
"""
MUTUAL = """custom_hooks = [
    {teachers},
    dict(type='PseudoLabelMonitorHook', interval={often}),
    dict(type='SemiSegVisualizationHook', interval={interval}),
"""
SCORED = """    dict(type='ImageScoresHook'),
]
"""
LEARNERS_SCORES = """{split}_evaluator = dict(
    type='LearnersIoUMetric', learners=_base_.model.test_cfg.score
)
"""
