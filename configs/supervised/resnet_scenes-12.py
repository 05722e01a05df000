_base_ = [
    '../_base_/models/resnet_tiny.py',
    '../_base_/datasets/textured_scenes.py',
    '../_base_/schedules/adamw_1400.py',
    '../_base_/runtime/default.py',
]
