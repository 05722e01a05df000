# Not in the paper: two stages of 40k iterations of AdamW, with a rule for each
# student. The first is mmseg's for SegFormer; the second fine-tunes
# DINOv2 slowly and its new head forty times faster, as UniMatch V2 does.
optim_wrapper = dict(
    constructor='MutualOptimWrapperConstructor',
    students=[
        dict(
            optimizer=dict(type='AdamW', lr=6e-5, weight_decay=0.01),
            paramwise_cfg=dict(
                norm_decay_mult=0.0,
                custom_keys=dict(decode_head=dict(lr_mult=10.0)),
            ),
        ),
        dict(
            optimizer=dict(type='AdamW', lr=5e-6, weight_decay=0.01),
            paramwise_cfg=dict(
                norm_decay_mult=0.0,
                custom_keys=dict(decode_head=dict(lr_mult=40.0)),
            ),
        ),
    ],
)
param_scheduler = {
    'students.0': [
        dict(
            type='LinearLR',
            start_factor=1e-6,
            begin=0,
            end=1500,
            by_epoch=False,
        ),
        dict(
            type='PolyLR', eta_min=0.0, power=1.0, begin=1500, by_epoch=False
        ),
    ],
    'students.1': [
        dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, by_epoch=False)
    ],
}
train_cfg = dict(
    type='StagedTrainLoop',
    stages=2,
    iters_per_stage=40000,
    burn_in_iters=4000,
    val_interval=5000,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
