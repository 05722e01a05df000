# CutMix-Seg (arXiv 1906.01916): a mean teacher under CutMix masks; squared
# error of probabilities, weighted by the share of confident pixels.
_base_ = './_base_/single_camvid_1-8.py'
loss = dict(type='ConsistencyLoss')
model = dict(semi_train_cfg=dict(loss=loss, confidence_share=0.97))
pipeline = [*_base_.geometry, _base_.weak_view, dict(type='CutMix')]
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=[*pipeline, _base_.pack]))
)
