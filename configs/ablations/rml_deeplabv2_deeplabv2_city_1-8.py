# Table 4, RML, and Figure 4: 62.85 mIoU in the paper.
_base_ = '../rml/deeplabv2_deeplabv2_city_1-8.py'
train_cfg = dict(stages=1)
