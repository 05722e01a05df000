# Table 4, IML (+ full noises), and Figure 4: 61.25 mIoU in the paper.
_base_ = '../rml/deeplabv2_deeplabv2_city_1-8.py'
model = dict(rectifier=None)
train_cfg = dict(stages=1)
