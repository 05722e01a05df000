# For PASCAL VOC's 20 classes and the background.
_base_ = './convnext-t_upernet.py'
convnext = dict(decode_head=dict(num_classes=21))
