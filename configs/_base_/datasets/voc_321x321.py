# PASCAL VOC 2012 with the augmented set, 10,582 training images: section 5.1.
dataset_type = 'PascalVOCDataset'
data_root = '{{$DATA_ROOT:data/VOCdevkit/VOC2012}}'
data_preparation = (
    'Unpack VOCtrainval_11-May-2012.tar into data, so that there is '
    'data/VOCdevkit/VOC2012, and run `python '
    'tools/dataset_converters/voc_aug.py --sbd benchmark_RELEASE` (or '
    '--masks SegmentationClassAug). Then write the lists of a split, 1/8 has '
    '1323 images, 1/20 529, 1/50 212 and 1/100 106: `python '
    'tools/dataset_converters/make_splits.py --names '
    'data/VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt '
    '--permutation split_0.pkl --count 1323 --out '
    "data/VOCdevkit/VOC2012/splits/1-8`, with CutMix-Seg's split_0.pkl, or "
    "with --seed 12345 for lists that are not the paper's."
)
# Images differ in size, but the longer side is nearly always 500 pixels, so it
# is scaled by 0.5 to 1.5 (section 5.1).
scale = (500, 500)
ratio_range = (0.5, 1.5)
crop_size = (321, 321)
# Mean and deviation of ImageNet, which the pretrained weights expect.
preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=crop_size,
)
data_preprocessor = dict(type='SegDataPreProcessor', **preprocessor)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize',
        scale=scale,
        ratio_range=ratio_range,
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=crop_size),
    # Not in the paper; usual for both data sets.
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# At the images' own size, as in the works that the paper compares to.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    # Makes the batch of 10 of section 5.2 on two GPUs; four cannot share it.
    batch_size=5,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        data_prefix=dict(
            img_path='JPEGImages', seg_map_path='SegmentationClassAug'
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(
            img_path='JPEGImages', seg_map_path='SegmentationClassAug'
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
# The batch that the learning rate is for: section 5.2.
auto_scale_lr = dict(enable=False, base_batch_size=10)
