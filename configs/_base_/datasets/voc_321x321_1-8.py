# 1323 labelled images: Tables 2 and 3.
_base_ = './voc_321x321.py'
train_dataloader = dict(dataset=dict(ann_file='splits/1-8/labelled.txt'))
