# DINOv2's ViT-S/14 with a linear head on its last four layers; not in the
# paper. The data preprocessor must pad images to multiples of 14.
dinov2 = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch='dinov2-small',
        # The grid of the pretrained position embedding.
        img_size=518,
        patch_size=14,
        layer_scale_init_value=1e-5,
        out_indices=[8, 9, 10, 11],
        out_type='featmap',
        # The paper's survival 0.8.
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmpretrain/v1.0/dinov2/vit-small-p14_dinov2-pre_3rdparty_20230426-5641ca5a.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(
        type='FCNHead',
        num_convs=0,
        concat_input=False,
        input_transform='resize_concat',
        in_channels=[384, 384, 384, 384],
        in_index=[0, 1, 2, 3],
        channels=1536,
        # The paper's 0.5.
        dropout_ratio=0.5,
        num_classes=19,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
