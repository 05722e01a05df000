# Table 1, all 2975 labels: 67.14 +- 0.32 mIoU in the paper.
_base_ = [
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/datasets/cityscapes_1024x512.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=_base_.data_preprocessor, **_base_.deeplabv2_plain
)
