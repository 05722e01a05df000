# Table 2, 212 labelled images: 64.63 mIoU in the paper.
_base_ = './deeplabv2_deeplabv2_voc_1-8.py'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file='splits/1-50/labelled.txt'),
        unlabelled=dict(ann_file='splits/1-50/unlabelled.txt'),
    )
)
