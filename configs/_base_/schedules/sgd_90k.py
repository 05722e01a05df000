# Cityscapes: section 5.2.
optim_wrapper = dict(
    type='OptimWrapper',
    # The paper has SGD and 1e-4; momentum and decay are ProDA's [24].
    optimizer=dict(type='SGD', lr=1e-4, momentum=0.9, weight_decay=2e-4),
    # Not in the paper: ten times the rate for new layers, as DeepLabV2 [60].
    paramwise_cfg=dict(
        custom_keys=dict(
            decode_head=dict(lr_mult=10.0), auxiliary_head=dict(lr_mult=10.0)
        )
    ),
)
# Polynomial: section 5.2; its power 0.9 is DeepLabV2's.
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, by_epoch=False)
]
train_cfg = dict(
    type='StagedTrainLoop',
    stages=1,
    iters_per_stage=90000,
    val_interval=5000,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
