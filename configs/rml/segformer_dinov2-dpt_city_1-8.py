# Beyond the paper, not measured yet.
_base_ = [
    '../_base_/models/rml.py',
    '../_base_/models/segformer_mit-b2.py',
    '../_base_/models/dinov2_vit-s_dpt.py',
    '../_base_/datasets/cityscapes_1024x512_1-8_semi.py',
    '../_base_/schedules/mutual_adamw_40k.py',
    '../_base_/runtime/long.py',
]
padding = dict(size=(266, 518), test_cfg=dict(size_divisor=14))
model = dict(
    data_preprocessor=dict(_base_.data_preprocessor, **padding),
    segmentors=[_base_.segformer, _base_.dinov2],
)
