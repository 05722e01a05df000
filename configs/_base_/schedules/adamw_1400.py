# For networks from random weights: the demo.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
)
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, by_epoch=False)
]
train_cfg = dict(
    type='StagedTrainLoop', iters_per_stage=1400, val_interval=1400
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
