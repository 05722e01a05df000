# Not in the paper: 4,000 steps of pretrained networks on one GPU, at a lower
# rate than for the small networks of adamw_2k.py.
_base_ = './adamw_2k.py'
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(
        type='CosineRestartLR',
        periods=[4000],
        restart_weights=[1.0],
        eta_min=0.0,
        by_epoch=False,
    )
]
train_cfg = dict(iters_per_stage=4000)
