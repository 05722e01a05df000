# Table 1, 744 labelled images: 66.15 +- 0.06 mIoU in the paper.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
split = f'{_base_.splits}/1-4_seed{_base_.split_seed}'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=f'{split}/labelled.txt'),
        unlabelled=dict(ann_file=f'{split}/unlabelled.txt'),
    )
)
