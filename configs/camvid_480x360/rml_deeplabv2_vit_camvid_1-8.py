# Robust Mutual Learning: noise and rectification, one stage.
_base_ = './_base_/mutual_camvid_1-8.py'
model = dict(segmentors=_base_.noisy)
train_cfg = dict(stages=1)
