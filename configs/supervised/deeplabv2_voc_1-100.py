# Table 2, the baseline with 106 labels: 36.25 mIoU in the paper.
_base_ = './deeplabv2_voc_1-8.py'
train_dataloader = dict(dataset=dict(ann_file='splits/1-100/labelled.txt'))
