# Robust Mutual Learning of two CNNs.
_base_ = './rml_deeplabv2_vit_camvid_1-8.py'
model = dict(segmentors=[_base_.noisy[0], _base_.noisy[0]])
