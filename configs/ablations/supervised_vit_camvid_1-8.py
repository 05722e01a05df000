# The second learner of the ladder from the 46 labelled images alone.
_base_ = [
    '../_base_/models/mutual_mobilenetv2_vit_small.py',
    '../_base_/datasets/camvid_160x120_1-8.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/runtime/default.py',
]
plain = dict(_base_.vit.decode_head, dropout_ratio=0.0)
stock_preprocessor = dict(type='SegDataPreProcessor', **_base_.preprocessor)
model = dict(
    _delete_=True,
    data_preprocessor=stock_preprocessor,
    **dict(_base_.vit, decode_head=plain),
)
