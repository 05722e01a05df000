# MobileNetV2 and a hybrid ViT: ResNet-18 to stride 16, a transformer
# encoder on its tokens, and SegFormer's head over the levels of both. With
# SETR's head, which sees only stride 16, it was by far the weaker teacher.
_base_ = './mobilenetv2_small.py'
vit = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNet',
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        norm_cfg=_base_.norm_cfg,
        style='pytorch',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='optional:{{$WEIGHTS_ROOT:../shared/data/weights}}/resnet18_imagenet_fp16.pth',
        ),
    ),
    neck=dict(
        type='TransformerNeck',
        in_channels=256,
        embed_dims=192,
        num_layers=3,
        num_heads=6,
        grid_size=(7, 9),
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[64, 128, 192],
        in_index=[0, 1, 2],
        channels=96,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=_base_.norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
model = dict(
    _delete_=True,
    type='MutualSemiSegmentor',
    data_preprocessor=dict(
        type='SemiSegDataPreProcessor', **_base_.preprocessor
    ),
    segmentors=[_base_.mobilenetv2, vit],
    # 0.9999 in the paper, for 90k steps. In 1,000 steps such prototypes lag
    # behind the features and make labels worse instead of better.
    rectifier=dict(type='PrototypeRectifier', momentum=0.95),
    # unsup_weight is 1 in Eq. 5, but the ground truth must weigh more in so
    # short a run. Strong views move no statistics of weak views and tests.
    semi_train_cfg=dict(
        unsup_weight=0.5, unlabelled_statistics=False, channels_last=True
    ),
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
