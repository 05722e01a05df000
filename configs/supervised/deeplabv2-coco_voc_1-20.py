# 529 labels; Table 3 has no baseline of the paper's own.
_base_ = './deeplabv2-coco_voc_1-8.py'
train_dataloader = dict(dataset=dict(ann_file='splits/1-20/labelled.txt'))
