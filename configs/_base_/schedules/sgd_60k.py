# PASCAL VOC: 60k iterations, section 5.2; the rest as for Cityscapes.
_base_ = './sgd_90k.py'
train_cfg = dict(iters_per_stage=60000)
