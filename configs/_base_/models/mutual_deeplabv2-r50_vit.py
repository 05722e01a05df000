# DeepLabV2 over ResNet-50 and a hybrid ViT: ResNet-18 to stride 16 and six
# layers of a transformer encoder on its tokens, which start from random
# weights.
preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=(320, 448),
)
norm_cfg = dict(type='BN', requires_grad=True)
deeplabv2 = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNet',
        depth=50,
        # Output stride 8 by dilation, as DeepLabV2 [60] has it.
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        out_indices=(3,),
        norm_cfg=norm_cfg,
        # The weights of He et al. have the stride in the first convolution.
        style='caffe',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='optional:{{$WEIGHTS_ROOT:../shared/data/weights}}/resnet50_caffe_imagenet_rgb_fp16.pth',
        ),
    ),
    decode_head=dict(
        type='DeepLabV2Head',
        in_channels=2048,
        in_index=0,
        form='bottleneck',
        channels=256,
        dilations=(6, 12, 18, 24),
        dropout_ratio=0.1,
        num_classes=11,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
vit = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNet',
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        norm_cfg=norm_cfg,
        style='pytorch',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='optional:{{$WEIGHTS_ROOT:../shared/data/weights}}/resnet18_imagenet_fp16.pth',
        ),
    ),
    neck=dict(
        type='TransformerNeck',
        in_channels=256,
        embed_dims=384,
        num_layers=6,
        num_heads=6,
        grid_size=(20, 28),
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[64, 128, 384],
        in_index=[0, 1, 2],
        channels=256,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
# Both without model noise.
plain = [
    dict(
        deeplabv2,
        decode_head=dict(deeplabv2['decode_head'], dropout_ratio=0.0),
    ),
    dict(vit, decode_head=dict(vit['decode_head'], dropout_ratio=0.0)),
]
model = dict(
    type='MutualSemiSegmentor',
    data_preprocessor=dict(type='SemiSegDataPreProcessor', **preprocessor),
    segmentors=[deeplabv2, vit],
    # 0.9999 in the paper, for 90k steps: this run is a twentieth as long.
    rectifier=dict(type='PrototypeRectifier', momentum=0.99),
    semi_train_cfg=dict(unsup_weight=0.5, channels_last=True),
    test_cfg=dict(
        mode='whole',
        predict_on='teachers.0',
        score=[
            'students.0',
            'students.1',
            'teachers.0',
            'teachers.1',
            'ensemble',
        ],
    ),
)
