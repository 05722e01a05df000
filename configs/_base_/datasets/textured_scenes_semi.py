# 12 labelled images and the other 288 without their masks.
_base_ = './textured_scenes.py'
unlabelled_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MarkValid'),
    dict(
        type='RandomResize',
        scale=(96, 96),
        ratio_range=(0.9, 1.4),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=(80, 80)),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='WeakStrongViews',
        strong=[dict(type='PhotometricRandAugment', magnitude_level=5)],
        num_strong=2,
    ),
    dict(type='CutMix'),
    dict(type='PackSemiSegInputs'),
]
train_dataloader = dict(
    sampler=dict(_delete_=True, type='SemiSegSampler'),
    dataset=dict(
        _delete_=True,
        type='SemiSegDataset',
        labelled=dict(
            type=_base_.dataset_type,
            data_root=_base_.data_root,
            ann_file='splits/labelled.txt',
            data_prefix=dict(
                img_path='img_dir/train', seg_map_path='ann_dir/train'
            ),
            pipeline=_base_.train_pipeline,
        ),
        unlabelled=dict(
            type='UnlabelledSegDataset',
            data_root=_base_.data_root,
            ann_file='splits/unlabelled.txt',
            data_prefix=dict(img_path='img_dir/train'),
            pipeline=unlabelled_pipeline,
        ),
    ),
)
