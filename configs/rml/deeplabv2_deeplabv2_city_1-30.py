# Table 1, 100 labelled images: 58.25 +- 1.36 mIoU in the paper.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
split = f'{_base_.splits}/1-30_seed{_base_.split_seed}'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=f'{split}/labelled.txt'),
        unlabelled=dict(ann_file=f'{split}/unlabelled.txt'),
    )
)
