# For PASCAL VOC's 20 classes and the background.
_base_ = './segformer_mit-b2.py'
segformer = dict(decode_head=dict(num_classes=21))
