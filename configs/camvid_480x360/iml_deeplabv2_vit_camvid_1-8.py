# Indirect mutual learning, Eq. 4 and 5, without noise.
_base_ = './_base_/mutual_camvid_1-8.py'
model = dict(segmentors=_base_.plain, rectifier=None)
pipeline = [*_base_.geometry, _base_.two_weak_views, _base_.pack]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
