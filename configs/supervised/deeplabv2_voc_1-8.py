# Table 2, the baseline with 1323 labels: 63.73 mIoU in the paper.
_base_ = [
    '../_base_/models/deeplabv2_r101_voc.py',
    '../_base_/datasets/voc_321x321_1-8.py',
    '../_base_/schedules/sgd_60k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=_base_.data_preprocessor, **_base_.deeplabv2_plain
)
