# CutMix-Seg (arXiv 1906.01916): a mean teacher under CutMix masks, with hard
# labels.
_base_ = './_base_/single_camvid_1-8.py'
pipeline = [*_base_.geometry, _base_.weak_view, dict(type='CutMix')]
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=[*pipeline, _base_.pack]))
)
