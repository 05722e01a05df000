# Two tiny students on four labelled and six unlabelled images.
custom_imports = dict(imports=['rml_mmseg'], allow_failed_imports=False)
default_scope = 'mmseg'
data_root = '{{$DATA_ROOT:data/tiny}}'
crop_size = (32, 48)
norm_cfg = dict(type='BN', requires_grad=True)
metainfo = dict(
    classes=('sky', 'wall', 'road', 'tree'),
    palette=[[0, 0, 255], [128, 0, 0], [90, 90, 90], [0, 128, 0]],
)
cnn = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=4,
        base_channels=4,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(0, 1),
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=8,
        in_index=1,
        channels=8,
        num_convs=1,
        concat_input=False,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
    ),
    train_cfg=dict(),
)
transformer = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='VisionTransformer',
        img_size=crop_size,
        patch_size=8,
        embed_dims=16,
        num_layers=2,
        num_heads=2,
        mlp_ratio=2,
        out_indices=(0, 1),
        with_cls_token=True,
    ),
    decode_head=dict(
        type='SETRUPHead',
        in_channels=16,
        in_index=1,
        channels=8,
        num_convs=1,
        up_scale=2,
        kernel_size=3,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
    ),
    train_cfg=dict(),
)
model = dict(
    type='MutualSemiSegmentor',
    data_preprocessor=dict(
        type='SemiSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=crop_size,
    ),
    segmentors=[cnn, transformer],
    rectifier=dict(type='PrototypeRectifier', momentum=0.9),
    test_cfg=dict(
        mode='whole',
        predict_on='teachers.0',
        score=['students.0', 'teachers.1', 'ensemble'],
    ),
)
geometry = [
    dict(
        type='RandomResize',
        scale=(64, 48),
        ratio_range=(0.5, 1.5),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
]
labelled = dict(
    type='BaseSegDataset',
    metainfo=metainfo,
    data_root=data_root,
    ann_file='labelled.txt',
    img_suffix='.png',
    serialize_data=False,
    data_prefix=dict(img_path='img_dir/train', seg_map_path='ann_dir/train'),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        *geometry,
        dict(type='PackSegInputs'),
    ],
)
unlabelled = dict(
    type='UnlabelledSegDataset',
    data_root=data_root,
    ann_file='unlabelled.txt',
    serialize_data=False,
    data_prefix=dict(img_path='img_dir/train'),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='MarkValid'),
        *geometry,
        dict(
            type='WeakStrongViews',
            strong=[dict(type='PhotometricRandAugment')],
        ),
        dict(type='CutMix'),
        dict(type='PackSemiSegInputs'),
    ],
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='SemiSegSampler'),
    dataset=dict(
        type='SemiSegDataset', labelled=labelled, unlabelled=unlabelled
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        img_suffix='.png',
        serialize_data=False,
        data_prefix=dict(img_path='img_dir/val', seg_map_path='ann_dir/val'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='LearnersIoUMetric',
    iou_metrics=['mIoU'],
    learners=['students.0', 'teachers.1', 'ensemble'],
)
test_evaluator = val_evaluator
optim_wrapper = dict(
    constructor='MutualOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9),
)
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
train_cfg = dict(type='StagedTrainLoop', iters_per_stage=4, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='MutualEMAHook', momentum=0.9)]
default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=4, max_keep_ckpts=-1
    ),
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    visualization=dict(type='SegVisualizationHook'),
)
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
env_cfg = dict(
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='gloo'),
)
