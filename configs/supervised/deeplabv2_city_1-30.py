# Table 1, the baseline with 100 labels: 45.40 +- 1.04 mIoU in the paper.
_base_ = './deeplabv2_city_1-8.py'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{_base_.splits}/1-30_seed{_base_.split_seed}/labelled.txt'
    )
)
