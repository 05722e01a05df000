# Table 5's pair of two CNNs, without noise.
_base_ = './iml_camvid_1-8.py'
model = dict(segmentors=[_base_.plain[0], _base_.plain[0]])
