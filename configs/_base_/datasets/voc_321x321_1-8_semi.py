# 1323 labelled images and the other 9259 without their masks: section 5.1.
_base_ = './voc_321x321.py'
data_preprocessor = dict(type='SemiSegDataPreProcessor')
unlabelled_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MarkValid'),
    dict(
        type='RandomResize',
        scale=_base_.scale,
        ratio_range=_base_.ratio_range,
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    # Not in the paper; usual for both data sets.
    dict(type='RandomFlip', prob=0.5),
    # Input noise: RandAugment's photometric part and CutMix, section 5.2.
    dict(
        type='WeakStrongViews',
        strong=[dict(type='PhotometricRandAugment')],
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
            ann_file='splits/1-8/labelled.txt',
            data_prefix=dict(
                img_path='JPEGImages', seg_map_path='SegmentationClassAug'
            ),
            pipeline=_base_.train_pipeline,
        ),
        unlabelled=dict(
            type='UnlabelledSegDataset',
            data_root=_base_.data_root,
            ann_file='splits/1-8/unlabelled.txt',
            data_prefix=dict(img_path='JPEGImages'),
            img_suffix='.jpg',
            pipeline=unlabelled_pipeline,
        ),
    ),
)
learners = ['students.0', 'students.1', 'teachers.0', 'teachers.1', 'ensemble']
val_evaluator = dict(type='LearnersIoUMetric', learners=learners)
test_evaluator = val_evaluator
