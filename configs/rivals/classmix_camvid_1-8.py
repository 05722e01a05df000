# ClassMix (arXiv 2007.07936): half of the classes of an image pasted.
_base_ = './_base_/single_camvid_1-8.py'
pipeline = [
    *_base_.geometry,
    _base_.strong_view,
    dict(type='CutMix', mask='class'),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
