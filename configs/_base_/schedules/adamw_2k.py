# Not in the paper: fine-tuning small pretrained networks in 2,000 steps.
# With a quarter of this rate the baseline converges more slowly. Pretrained
# backbones and the transformer (the neck) need a lower rate.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.25), neck=dict(lr_mult=0.25))
    ),
)
# One decay to zero. With a restart after the burn-in, rare classes are still
# unknown when the first pseudo labels are made.
param_scheduler = [
    dict(
        type='CosineRestartLR',
        periods=[2000],
        restart_weights=[1.0],
        eta_min=0.0,
        by_epoch=False,
    )
]
train_cfg = dict(
    type='StagedTrainLoop', iters_per_stage=2000, val_interval=500
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
