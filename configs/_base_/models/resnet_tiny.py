# A narrow ResNet-18 from random weights, output stride 4: for the demo.
preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=(80, 80),
)
norm_cfg = dict(type='BN', requires_grad=True)
resnet = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNet',
        depth=18,
        in_channels=3,
        stem_channels=24,
        base_channels=24,
        num_stages=3,
        strides=(1, 1, 1),
        dilations=(1, 2, 4),
        out_indices=(0, 1, 2),
        norm_cfg=norm_cfg,
        style='pytorch',
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=96,
        in_index=2,
        channels=48,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=7,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
model = dict(
    data_preprocessor=dict(type='SegDataPreProcessor', **preprocessor),
    **resnet,
)
