# For PASCAL VOC's 20 classes and the background.
_base_ = './deeplabv2_r101.py'
deeplabv2 = dict(decode_head=dict(num_classes=21))
deeplabv2_plain = dict(decode_head=dict(num_classes=21))
