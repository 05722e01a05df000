# Table 2, the baseline with 212 labels: 46.30 mIoU in the paper.
_base_ = './deeplabv2_voc_1-8.py'
train_dataloader = dict(dataset=dict(ann_file='splits/1-50/labelled.txt'))
