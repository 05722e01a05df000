# Robust Mutual Learning of two transformers, one stage.
_base_ = './rml_camvid_1-8.py'
model = dict(segmentors=[_base_.noisy[1], _base_.noisy[1]])
