# Building blocks for the rows of the CamVid ladder.
_base_ = '../../rml/mobilenetv2_vit_camvid_1-8.py'
# Without a rectifier, labels made at the stage's start never improve.
model = dict(semi_train_cfg=dict(p0='online'))
# Weight for one teacher: as much as the two teachers of a pair together.
one_source = 2 * _base_.model.semi_train_cfg.unsup_weight
# Model noise: dropout 0.1 and, in the transformer, stochastic depth 0.1. The
# paper's 0.5 and 0.2 (section 5.2) cost such narrow heads three points before
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
# The geometric transforms of the data set's pipeline, without input noise.
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
