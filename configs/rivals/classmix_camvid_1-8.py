# ClassMix (arXiv 2007.07936): pastes half of an image's classes; the loss is
# weighted by the share of confident pixels.
_base_ = './_base_/single_camvid_1-8.py'
model = dict(semi_train_cfg=dict(confidence_share=0.968))
pipeline = [
    *_base_.geometry,
    _base_.strong_view,
    dict(type='CutMix', mask='class'),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
