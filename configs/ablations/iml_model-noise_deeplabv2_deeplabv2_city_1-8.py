# Table 4, IML (+ model noises): 60.51 mIoU in the paper.
_base_ = '../rml/deeplabv2_deeplabv2_city_1-8.py'
model = dict(rectifier=None)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
train_cfg = dict(stages=1)
