# The paper's four GPUs: one labelled image on each makes the batch of 4.
# CutMix needs two unlabelled ones on each, which makes 8.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
train_dataloader = dict(batch_size=1, dataset=dict(k=2))
