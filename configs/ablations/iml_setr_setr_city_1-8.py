# Table 5, SETR-SETR IML without noise: 64.15 / 63.74 mIoU in the paper.
_base_ = '../rml/setr_setr_city_1-8.py'
model = dict(segmentors=[_base_.setr_plain, _base_.setr_plain], rectifier=None)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
train_cfg = dict(stages=1)
