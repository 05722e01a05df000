# Table 2, 529 labelled images: 68.82 mIoU in the paper.
_base_ = './deeplabv2_deeplabv2_voc_1-8.py'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file='splits/1-20/labelled.txt'),
        unlabelled=dict(ann_file='splits/1-20/unlabelled.txt'),
    )
)
