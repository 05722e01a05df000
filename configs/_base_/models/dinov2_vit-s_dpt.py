# DINOv2's ViT-S/14 with the head of DPT on four of its layers, as UniMatch V2
# (arXiv 2410.10777) has it; not in the paper. The data preprocessor must pad
# images to multiples of 14.
_base_ = './dinov2_vit-s.py'
dinov2 = dict(
    backbone=dict(out_indices=[2, 5, 8, 11]),
    neck=dict(type='ReadoutNeck'),
    decode_head=dict(
        _delete_=True,
        type='DPTHead',
        input_transform='multiple_select',
        in_channels=[384, 384, 384, 384],
        in_index=[0, 1, 2, 3],
        embed_dims=384,
        post_process_channels=[48, 96, 192, 384],
        patch_size=14,
        channels=64,
        # Without batch normalisation, as there.
        norm_cfg=None,
        # The paper's 0.5.
        dropout_ratio=0.5,
        num_classes=19,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
