# Indirect mutual learning of two transformers.
_base_ = './iml_deeplabv2_vit_camvid_1-8.py'
model = dict(segmentors=[_base_.plain[1], _base_.plain[1]])
