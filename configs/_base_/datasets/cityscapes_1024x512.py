# Cityscapes at 1024x512, the size of section 5.1; scores are taken at that
# size, on labels down-sampled by majority vote.
dataset_type = 'CityscapesDataset'
data_root = '{{$DATA_ROOT:data/cityscapes_half}}'
data_preparation = (
    'Unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip of '
    'Cityscapes (https://www.cityscapes-dataset.com) into data/cityscapes '
    'and run `python tools/dataset_converters/cityscapes.py`, or set '
    'DATA_ROOT to a folder that is ready.'
)
# The lists of CutMix-Seg, [59] of the paper; it has five seeds: 12345,
# 23456, 34567, 45678, 56789.
splits = '{{fileDirname}}/splits/cityscapes'
split_seed = '{{$SPLIT_SEED:12345}}'
scale = (1024, 512)  # width, height: section 5.1
crop_size = (256, 512)  # height, width: section 5.1
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
    dict(type='RandomCrop', crop_size=crop_size),
    # Not in the paper; usual for both data sets.
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# The resize changes nothing here; it serves the full-resolution evaluation.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    # Makes the batch of 4 of section 5.2 on two GPUs. The paper had four GPUs,
    # but CutMix needs two images on each; *_4gpu.py is for four.
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/train', seg_map_path='gtFine/train'
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
        data_prefix=dict(
            img_path='leftImg8bit/val', seg_map_path='gtFine/val'
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
# The batch that the learning rate is for: section 5.2.
auto_scale_lr = dict(enable=False, base_batch_size=4)
