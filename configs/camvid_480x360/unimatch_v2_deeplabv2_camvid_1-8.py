# UniMatch V2 (arXiv 2410.10777): a mean teacher's confident labels, and two
# strong views, each without the feature channels that the other one keeps.
_base_ = './_base_/single_camvid_1-8.py'
learning = dict(confidence=0.95, strong_views=2, complementary_dropout=0.5)
model = dict(semi_train_cfg=learning)
pipeline = [
    *_base_.geometry,
    dict(_base_.strong_view, num_strong=2),
    dict(type='CutMix', num_masks=2),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
