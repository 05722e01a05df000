# One GPU: twice two images make the batch of 4, so twice the iterations.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
optim_wrapper = dict(accumulative_counts=2)
train_cfg = dict(
    iters_per_stage=180000, burn_in_iters=20000, val_interval=10000
)
# --auto-scale-lr ignores accumulation: 2 here, times 2, is the batch of 4.
auto_scale_lr = dict(base_batch_size=2)
