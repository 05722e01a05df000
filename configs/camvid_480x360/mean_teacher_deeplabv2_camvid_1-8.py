# The first network and its own teacher, without noise.
_base_ = './_base_/single_camvid_1-8.py'
pipeline = [*_base_.geometry, _base_.weak_view, _base_.pack]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
