# Table 5, Deeplabv2-SETR IML without noise: 63.96 / 64.35 mIoU in the paper.
_base_ = '../rml/deeplabv2_setr_city_1-8.py'
model = dict(
    segmentors=[_base_.deeplabv2_plain, _base_.setr_plain], rectifier=None
)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
train_cfg = dict(stages=1)
