# Not in the paper: 4,000 steps of pretrained networks on one GPU, with a
# lower rate than the small networks of adamw_2k.py have.
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
