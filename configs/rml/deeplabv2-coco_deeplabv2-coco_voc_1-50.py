# Table 3, 212 labelled images: 68.66 mIoU in the paper.
_base_ = './deeplabv2-coco_deeplabv2-coco_voc_1-8.py'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file='splits/1-50/labelled.txt'),
        unlabelled=dict(ann_file='splits/1-50/unlabelled.txt'),
    )
)
