# Indirect mutual learning, Eq. 4 and 5, without noise.
_base_ = './_base_/camvid_1-8.py'
model = dict(segmentors=_base_.plain, rectifier=None)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
