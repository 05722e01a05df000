# Table 5's pair of two transformers, without noise.
_base_ = './iml_camvid_1-8.py'
model = dict(segmentors=[_base_.plain[1], _base_.plain[1]])
