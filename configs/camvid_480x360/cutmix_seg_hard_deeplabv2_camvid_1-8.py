# CutMix-Seg with cross entropy on hard labels and no threshold, as in RML.
_base_ = './cutmix_seg_deeplabv2_camvid_1-8.py'
loss = dict(type='PseudoLabelLoss')
model = dict(semi_train_cfg=dict(loss=loss, confidence_share=None))
