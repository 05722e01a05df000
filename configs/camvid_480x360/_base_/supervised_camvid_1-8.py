# Labelled images alone, for either of the two networks.
_base_ = [
    '../../_base_/models/mutual_deeplabv2-r50_vit.py',
    '../../_base_/datasets/camvid_480x360_1-8.py',
    '../../_base_/schedules/adamw_4k.py',
    '../../_base_/runtime/default.py',
]
stock_preprocessor = dict(type='SegDataPreProcessor', **_base_.preprocessor)
