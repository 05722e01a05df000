# Indirect mutual learning of two CNNs.
_base_ = './iml_deeplabv2_vit_camvid_1-8.py'
model = dict(segmentors=[_base_.plain[0], _base_.plain[0]])
