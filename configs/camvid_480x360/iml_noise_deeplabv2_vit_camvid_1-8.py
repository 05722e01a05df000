# Indirect mutual learning with model and input noise.
_base_ = './_base_/mutual_camvid_1-8.py'
model = dict(segmentors=_base_.noisy, rectifier=None)
