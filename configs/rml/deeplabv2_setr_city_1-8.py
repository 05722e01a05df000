# The heterogeneous pair of Table 5, there without noise and rectification.
_base_ = [
    '../_base_/models/rml.py',
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/models/setr_vit-b.py',
    '../_base_/datasets/cityscapes_1024x512_1-8_semi.py',
    '../_base_/schedules/mutual_sgd_90k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    segmentors=[_base_.deeplabv2, _base_.setr],
)
