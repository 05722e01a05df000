# FixMatch (arXiv 2001.07685) on pixels: its threshold, and CutMix beside the
# strong view. Labels are those of the moving average.
_base_ = './_base_/single_camvid_1-8.py'
model = dict(semi_train_cfg=dict(confidence=0.95))
pipeline = [
    *_base_.geometry,
    _base_.strong_view,
    dict(type='CutMix'),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
