# Table 4, IML (+ full noises), and Figure 4: 61.25 mIoU in the paper.
_base_ = './_base_/figure_4.py'
model = dict(rectifier=None)
