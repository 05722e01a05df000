# Robust Mutual Learning: noise and rectification, one stage.
_base_ = './_base_/camvid_1-8.py'
model = dict(segmentors=_base_.noisy, semi_train_cfg=dict(p0='stage'))
train_cfg = dict(stages=1)
