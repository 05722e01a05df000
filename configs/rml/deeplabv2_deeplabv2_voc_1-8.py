# Table 2, 1/8 labels: 70.34 mIoU in the paper.
_base_ = [
    '../_base_/models/rml.py',
    '../_base_/models/deeplabv2_r101_voc.py',
    '../_base_/datasets/voc_321x321_1-8_semi.py',
    '../_base_/schedules/mutual_sgd_60k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    segmentors=[_base_.deeplabv2, _base_.deeplabv2],
)
