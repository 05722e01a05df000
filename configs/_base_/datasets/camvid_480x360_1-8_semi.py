# 46 labelled images and the other 321 without their masks.
_base_ = './camvid_480x360.py'
unlabelled_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MarkValid'),
    dict(
        type='RandomResize',
        scale=_base_.scale,
        ratio_range=(0.75, 1.5),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='WeakStrongViews',
        strong=[dict(type='PhotometricRandAugment', magnitude_level=5)],
        num_strong=2,
    ),
    dict(type='CutMix'),
    dict(type='PackSemiSegInputs'),
]
image_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=_base_.scale, keep_ratio=True),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    sampler=dict(_delete_=True, type='SemiSegSampler'),
    dataset=dict(
        _delete_=True,
        type='SemiSegDataset',
        image_pipeline=image_pipeline,
        labelled=dict(
            type=_base_.dataset_type,
            data_root=_base_.data_root,
            ann_file='{{fileDirname}}/splits/camvid/1-8_seed0/labelled.txt',
            data_prefix=dict(
                img_path='img_dir/train', seg_map_path='ann_dir/train'
            ),
            pipeline=_base_.train_pipeline,
        ),
        unlabelled=dict(
            type='UnlabelledSegDataset',
            data_root=_base_.data_root,
            ann_file='{{fileDirname}}/splits/camvid/1-8_seed0/unlabelled.txt',
            data_prefix=dict(img_path='img_dir/train'),
            pipeline=unlabelled_pipeline,
        ),
    ),
)
