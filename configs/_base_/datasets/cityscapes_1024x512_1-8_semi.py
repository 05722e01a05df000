# 372 labelled images and the other 2603 without their labels: section 5.1.
_base_ = './cityscapes_1024x512.py'
data_preprocessor = dict(type='SemiSegDataPreProcessor')
split = f'{_base_.splits}/1-8_seed{_base_.split_seed}'
geometry = [
    dict(type='LoadImageFromFile'),
    dict(type='MarkValid'),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    # Not in the paper; usual for both data sets.
    dict(type='RandomFlip', prob=0.5),
]
# Input noise: RandAugment's photometric part and CutMix, sections 4.1, 5.2.
unlabelled_pipeline = [
    *geometry,
    dict(
        type='WeakStrongViews',
        strong=[dict(type='PhotometricRandAugment')],
        num_strong=2,
    ),
    dict(type='CutMix'),
    dict(type='PackSemiSegInputs'),
]
# Without input noise, for Tables 4 and 5.
unlabelled_pipeline_plain = [
    *geometry,
    dict(type='WeakStrongViews', num_strong=2),
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
            ann_file=f'{split}/labelled.txt',
            data_prefix=dict(
                img_path='leftImg8bit/train', seg_map_path='gtFine/train'
            ),
            pipeline=_base_.train_pipeline,
        ),
        unlabelled=dict(
            type='UnlabelledSegDataset',
            data_root=_base_.data_root,
            ann_file=f'{split}/unlabelled.txt',
            data_prefix=dict(img_path='leftImg8bit/train'),
            img_suffix='_leftImg8bit.png',
            pipeline=unlabelled_pipeline,
        ),
    ),
)
# Both students and teachers: Table 5 gives two scores a pair.
learners = ['students.0', 'students.1', 'teachers.0', 'teachers.1', 'ensemble']
val_evaluator = dict(type='LearnersIoUMetric', learners=learners)
test_evaluator = val_evaluator
