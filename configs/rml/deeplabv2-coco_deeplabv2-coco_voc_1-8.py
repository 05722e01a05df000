# Table 3, 1/8 labels: 73.38 mIoU in the paper.
_base_ = [
    '../_base_/models/rml.py',
    '../_base_/models/deeplabv2_r101-coco_voc.py',
    '../_base_/datasets/voc_321x321_1-8_semi.py',
    '../_base_/schedules/mutual_sgd_60k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=dict(
        _base_.data_preprocessor, **_base_.coco_normalisation
    ),
    segmentors=[_base_.deeplabv2, _base_.deeplabv2],
)
