# The paper's baseline: 56.08 +- 0.27 (Table 1), 56.03 (Table 4) and 54.52
# (Table 5) mIoU.
_base_ = [
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/datasets/cityscapes_1024x512_1-8.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/runtime/long.py',
]
model = dict(
    data_preprocessor=_base_.data_preprocessor, **_base_.deeplabv2_plain
)
