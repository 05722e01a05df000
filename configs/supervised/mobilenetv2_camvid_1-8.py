_base_ = [
    '../_base_/models/mobilenetv2_small.py',
    '../_base_/datasets/camvid_160x120_1-8.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/runtime/default.py',
]
