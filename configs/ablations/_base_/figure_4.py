# One stage, with the masks of the unlabelled images only for the monitor:
# train/monitor/teachers.0/mIoU is the curve of Figure 4, and for direct mutual
# learning train/monitor/students.0/mIoU.
_base_ = '../../rml/deeplabv2_deeplabv2_city_1-8.py'
train_dataloader = dict(
    dataset=dict(
        unlabelled=dict(
            data_prefix=dict(seg_map_path='gtFine/train'),
            seg_map_suffix='_gtFine_labelTrainIds.png',
        )
    )
)
train_cfg = dict(stages=1)
custom_hooks = [
    *_base_.custom_hooks,
    # Not in the paper: scores over the last 100 monitored batches.
    dict(type='PseudoLabelMonitorHook', interval=50, window=100),
]
