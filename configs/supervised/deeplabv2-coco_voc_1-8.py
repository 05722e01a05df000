# 1323 labels; Table 3 has no baseline of the paper's own.
_base_ = [
    '../_base_/models/deeplabv2_r101-coco_voc.py',
    '../_base_/datasets/voc_321x321_1-8.py',
    '../_base_/schedules/sgd_60k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=dict(
        _base_.data_preprocessor, **_base_.coco_normalisation
    ),
    **_base_.deeplabv2_plain,
)
