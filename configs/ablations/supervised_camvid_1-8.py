# The first learner of the ladder from the 46 labelled images alone.
_base_ = '../supervised/mobilenetv2_camvid_1-8.py'
model = dict(decode_head=dict(dropout_ratio=0.0))
