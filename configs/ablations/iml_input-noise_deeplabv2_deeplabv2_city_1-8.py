# Table 4, IML (+ input noises): 60.49 mIoU in the paper.
_base_ = '../rml/deeplabv2_deeplabv2_city_1-8.py'
model = dict(
    segmentors=[_base_.deeplabv2_plain, _base_.deeplabv2_plain],
    rectifier=None,
)
train_cfg = dict(stages=1)
