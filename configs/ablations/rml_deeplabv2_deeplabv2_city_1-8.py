# Table 4, RML, and Figure 4: 62.85 mIoU in the paper.
_base_ = './_base_/figure_4.py'
