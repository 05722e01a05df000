# Robust Mutual Learning in four stages.
_base_ = './rml_deeplabv2_vit_camvid_1-8.py'
train_cfg = dict(stages=4)
