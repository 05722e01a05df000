# The narrow ResNet and a small hybrid ViT: two stages of the same ResNet,
# a transformer encoder on tokens of stride 8, and SETR's head.
_base_ = './resnet_tiny.py'
vit = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNet',
        depth=18,
        in_channels=3,
        stem_channels=24,
        base_channels=24,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(0, 1),
        norm_cfg=_base_.norm_cfg,
        style='pytorch',
    ),
    neck=dict(
        type='TransformerNeck',
        in_channels=48,
        embed_dims=96,
        num_layers=3,
        num_heads=4,
        grid_size=(10, 10),
        mlp_ratio=2,
    ),
    decode_head=dict(
        type='SETRUPHead',
        in_channels=96,
        in_index=1,
        channels=48,
        num_convs=1,
        up_scale=2,
        kernel_size=3,
        norm_layer=dict(type='LN', eps=1e-6),
        dropout_ratio=0.1,
        num_classes=7,
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
    segmentors=[_base_.resnet, vit],
    rectifier=dict(
        type='PrototypeRectifier',
        momentum=0.95,
        # Not in the paper: a rare class can vanish from the pseudo labels.
        alignment=2.0,
        alignment_target='labels',
    ),
    semi_train_cfg=dict(channels_last=True),
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
