# Table 5, the SETR baseline: 57.79 mIoU in the paper.
_base_ = [
    '../_base_/models/setr_vit-b.py',
    '../_base_/datasets/cityscapes_1024x512_1-8.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/runtime/long.py',
]
model = dict(data_preprocessor=_base_.data_preprocessor, **_base_.setr_plain)
