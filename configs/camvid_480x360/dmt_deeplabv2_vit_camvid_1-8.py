# Dynamic mutual training (arXiv 2004.08514): the peer's labels from the start,
# weighted less where the student doubts them, on a strong view under CutMix.
_base_ = './_base_/mutual_camvid_1-8.py'
loss = dict(type='DynamicMutualLoss')
learning = dict(p0='stage', self_weight=0.0, loss=loss)
model = dict(
    segmentors=_base_.plain,
    rectifier=None,
    semi_train_cfg=dict(learning, unsup_weight=_base_.one_source),
)
pipeline = [*_base_.geometry, _base_.strong_view, dict(type='CutMix')]
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=[*pipeline, _base_.pack]))
)
