# From weights trained on COCO: section 5.2 and Table 3. They are AdvSSL's [64]
# resnet101COCO-41f33a49.pth, a Caffe network: BGR, stride in the first
# convolution of a block. COCO_WEIGHTS names the file.
_base_ = './deeplabv2_r101_voc.py'
coco_backbone = dict(
    style='caffe',
    init_cfg=dict(
        type='Pretrained',
        checkpoint='{{$COCO_WEIGHTS:pretrain/resnet101COCO-41f33a49.pth}}',
    ),
)
deeplabv2 = dict(backbone=coco_backbone)
deeplabv2_plain = dict(backbone=coco_backbone)
# Mean of ImageNet in BGR, which those weights expect.
coco_normalisation = dict(
    mean=[104.00698793, 116.66876762, 122.67891434],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
)
