# The ceiling: the masks of all 367 training images.
_base_ = './supervised_camvid_1-8.py'
train_dataloader = dict(dataset=dict(ann_file=''))
