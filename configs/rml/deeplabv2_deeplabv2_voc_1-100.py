# Table 2, 106 labelled images: 53.77 mIoU in the paper.
_base_ = './deeplabv2_deeplabv2_voc_1-8.py'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file='splits/1-100/labelled.txt'),
        unlabelled=dict(ann_file='splits/1-100/unlabelled.txt'),
    )
)
