# What the rows of the CamVid ladder are put together from.
_base_ = '../../rml/mobilenetv2_vit_camvid_1-8.py'
# Without a rectifier, labels of the stage's start would never improve.
model = dict(semi_train_cfg=dict(p0='online'))
# Of a learner with one teacher; the two of a pair weigh as much together.
one_source = 2 * _base_.model.semi_train_cfg.unsup_weight
# Model noise: dropout 0.1 and, in the transformer, stochastic depth 0.1. The
# paper's 0.5 and 0.2, section 5.2, cost so narrow heads three points before
# the first pseudo label: docs/results.md.
noisy = [
    dict(
        _base_.mobilenetv2,
        decode_head=dict(_base_.mobilenetv2.decode_head, dropout_ratio=0.1),
    ),
    dict(
        _base_.vit,
        neck=dict(_base_.vit.neck, drop_path_rate=0.1),
        decode_head=dict(_base_.vit.decode_head, dropout_ratio=0.1),
    ),
]
plain = [
    dict(
        _base_.mobilenetv2,
        decode_head=dict(_base_.mobilenetv2.decode_head, dropout_ratio=0.0),
    ),
    dict(
        _base_.vit,
        neck=dict(_base_.vit.neck, drop_path_rate=0.0),
        decode_head=dict(_base_.vit.decode_head, dropout_ratio=0.0),
    ),
]
# The geometry of the data set's own pipeline, without input noise.
unlabelled_pipeline_plain = [
    dict(type='LoadImageFromFile'),
    dict(type='MarkValid'),
    dict(
        type='RandomResize',
        scale=_base_.scale,
        ratio_range=(0.75, 1.5),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='WeakStrongViews', num_strong=2),
    dict(type='PackSemiSegInputs'),
]
