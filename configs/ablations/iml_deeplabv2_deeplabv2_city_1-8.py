# Table 4, IML: 60.09 mIoU in the paper. Table 5 has the pair at 61.25 / 61.53.
_base_ = '../rml/deeplabv2_deeplabv2_city_1-8.py'
model = dict(
    segmentors=[_base_.deeplabv2_plain, _base_.deeplabv2_plain],
    rectifier=None,
)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
train_cfg = dict(stages=1)
