# PASCAL VOC: two stages of 60k iterations, section 5.2.
_base_ = './mutual_sgd_90k.py'
train_cfg = dict(iters_per_stage=60000)
