# Cross pseudo supervision (arXiv 2106.01226): direct mutual learning under
# CutMix, without other noise.
_base_ = './_base_/mutual_camvid_1-8.py'
model = dict(
    segmentors=_base_.plain,
    rectifier=None,
    semi_train_cfg=dict(
        peer_source='student', self_weight=0.0, unsup_weight=_base_.one_source
    ),
    test_cfg=dict(predict_on='students.0'),
)
pipeline = [*_base_.geometry, _base_.weak_view, dict(type='CutMix')]
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=[*pipeline, _base_.pack]))
)
