# DeepLabV2 over ResNet-101, section 5.2: with its model noise (`deeplabv2`)
# and without (`deeplabv2_plain`).
deeplabv2 = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=101,
        # Output stride 8 by dilation, as DeepLabV2 [60] has it.
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        out_indices=(3,),
        norm_cfg=dict(type='BN', requires_grad=True),
        # Stochastic depth of survival 0.8 at the last block, falling
        # linearly to it: section 5.2, "layer-wise survival probability".
        drop_path_rate=0.2,
        # ImageNet: section 5.2.
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'),
    ),
    decode_head=dict(
        type='DeepLabV2Head',
        in_channels=2048,
        in_index=0,
        # Not in the paper: ProDA's head [24], whose 256 channels before the
        # classifier are the feature space of the prototypes.
        form='bottleneck',
        channels=256,
        # DeepLabV2's rates [60].
        dilations=(6, 12, 18, 24),
        # On the last layer alone: section 5.2.
        dropout_ratio=0.5,
        num_classes=19,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
deeplabv2_plain = dict(
    deeplabv2,
    backbone=dict(deeplabv2['backbone'], drop_path_rate=0.0),
    decode_head=dict(deeplabv2['decode_head'], dropout_ratio=0.0),
)
