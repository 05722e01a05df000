# MobileNetV2 with a narrow SegFormer head, output stride 16: for two cores.
# With a DeepLabV3+ head rare classes are still at zero after 1,000 steps.
preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=(112, 144),
)
norm_cfg = dict(type='BN', requires_grad=True)
mobilenetv2 = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='MobileNetV2',
        widen_factor=1.0,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(1, 2, 4, 6),
        norm_cfg=norm_cfg,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='optional:{{$WEIGHTS_ROOT:../shared/data/weights}}/mobilenet_v2_imagenet_mmseg.pth',
        ),
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[24, 32, 96, 320],
        in_index=[0, 1, 2, 3],
        channels=96,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
model = dict(
    data_preprocessor=dict(type='SegDataPreProcessor', **preprocessor),
    **mobilenetv2,
)
