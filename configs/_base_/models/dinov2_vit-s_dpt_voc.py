# For PASCAL VOC's 20 classes and the background.
_base_ = './dinov2_vit-s_dpt.py'
dinov2 = dict(decode_head=dict(num_classes=21))
