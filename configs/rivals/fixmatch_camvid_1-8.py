# FixMatch (arXiv 2001.07685) for pixels: the student's own labels above a
# threshold, on a strong view, here with CutMix as well.
_base_ = './_base_/single_camvid_1-8.py'
model = dict(semi_train_cfg=dict(self_source='student', confidence=0.95))
pipeline = [
    *_base_.geometry,
    _base_.strong_view,
    dict(type='CutMix'),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
