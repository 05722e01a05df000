# UniMatch (arXiv 2208.09910): FixMatch with two strong views, each with a box
# of its own, and a weak view with half of its feature channels dropped.
_base_ = './fixmatch_deeplabv2_camvid_1-8.py'
model = dict(semi_train_cfg=dict(strong_views=2, feature_dropout=0.5))
two_views = dict(_base_.strong_view, num_strong=2)
pipeline = [
    *_base_.geometry,
    two_views,
    dict(type='CutMix', num_masks=2),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
