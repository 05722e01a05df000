# 372 of the 2975 training images: Table 1.
_base_ = './cityscapes_1024x512.py'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{_base_.splits}/1-8_seed{_base_.split_seed}/labelled.txt'
    )
)
