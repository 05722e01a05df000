# The paper's four GPUs: one labelled image each makes the batch of 4. CutMix
# needs two unlabelled ones on each, so there are 8 of these.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
train_dataloader = dict(batch_size=1, dataset=dict(k=2))
