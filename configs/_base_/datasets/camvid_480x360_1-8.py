# 46 of the 367 training images: seed 0 of make_splits.py.
_base_ = './camvid_480x360.py'
train_dataloader = dict(
    dataset=dict(
        ann_file='{{fileDirname}}/splits/camvid/1-8_seed0/labelled.txt'
    )
)
