# SETR [28] with its naive decoder and auxiliary heads, over ViT-B/16: with the
# paper's model noise (`setr`) and without (`setr_plain`). The paper names no
# size; four ViT-L would hold 1.2 billion weights, so ViT-B, from DeiT's
# ImageNet weights.
setr_head = dict(
    type='SETRUPHead',
    in_channels=768,
    channels=256,
    in_index=3,
    # SETR's naive decoder: a 1x1 layer and one enlargement.
    num_convs=1,
    up_scale=4,
    kernel_size=1,
    norm_layer=dict(type='LN', eps=1e-6),
    norm_cfg=dict(type='BN', requires_grad=True),
    # On the last layer alone: section 5.2.
    dropout_ratio=0.5,
    num_classes=19,
    align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
# Auxiliary losses at 0.4, as mmseg has them for SETR; not in the paper.
auxiliary = dict(
    setr_head,
    dropout_ratio=0.0,
    loss_decode=dict(
        type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4
    ),
)
setr = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch='deit-base',
        img_size=(256, 512),
        patch_size=16,
        # SETR's levels 10, 15, 20 and 24 of 24, scaled to 12 layers.
        out_indices=[4, 7, 9, 11],
        out_type='featmap',
        # The head normalises the features.
        final_norm=False,
        # Section 5.2, survival 0.8, over the transformer's layers.
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/deit/deit-base_pt-16xb64_in1k_20220216-db63c16c.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=setr_head,
    auxiliary_head=[dict(auxiliary, in_index=i) for i in range(3)],
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
setr_plain = dict(
    setr,
    backbone=dict(setr['backbone'], drop_path_rate=0.0),
    decode_head=dict(setr_head, dropout_ratio=0.0),
)
