# 46 labelled images and the other 321 without their masks.
_base_ = './camvid_160x120.py'
# At level 0 AutoContrast and Equalize act, but no operation with a strength:
# networks that see 1,000 batches have no time to learn from more.
photometric = dict(type='PhotometricRandAugment', magnitude_level=0)
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
        strong=[photometric],
        num_strong=2,
    ),
    # The paper pastes boxes. Pasting by class keeps small objects whole.
    dict(type='CutMix', mask='class'),
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
