# Robust Mutual Learning of two CNNs, one stage.
_base_ = './rml_camvid_1-8.py'
model = dict(segmentors=[_base_.noisy[0], _base_.noisy[0]])
