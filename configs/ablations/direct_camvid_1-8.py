# Direct mutual learning, Eq. 3, without noise.
_base_ = './_base_/camvid_1-8.py'
model = dict(
    segmentors=_base_.plain,
    rectifier=None,
    semi_train_cfg=dict(
        peer_source='student', self_weight=0.0, unsup_weight=_base_.one_source
    ),
    test_cfg=dict(predict_on='students.0'),
)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
