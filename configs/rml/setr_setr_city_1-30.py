# 100 labelled images; the paper has this pair at 1/8 alone.
_base_ = './setr_setr_city_1-8.py'
split = f'{_base_.splits}/1-30_seed{_base_.split_seed}'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=f'{split}/labelled.txt'),
        unlabelled=dict(ann_file=f'{split}/unlabelled.txt'),
    )
)
