# 744 labels; the paper has SETR at 1/8 alone.
_base_ = './setr_city_1-8.py'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{_base_.splits}/1-4_seed{_base_.split_seed}/labelled.txt'
    )
)
