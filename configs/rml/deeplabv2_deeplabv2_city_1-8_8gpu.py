# Eight GPUs: twice 2 images on each are 32, eight times the paper's batch, at
# eight times its rate; iterations are divided by 8, doubled by accumulation.
_base_ = './deeplabv2_deeplabv2_city_1-8.py'
optim_wrapper = dict(accumulative_counts=2)
train_cfg = dict(iters_per_stage=22500, burn_in_iters=2500, val_interval=2500)
# --auto-scale-lr ignores accumulation: 2 here, times 2, is the batch of 4.
auto_scale_lr = dict(enable=True, base_batch_size=2)
# 0.9999 and 0.999 to the power of 8, for an eighth of the steps.
model = dict(rectifier=dict(momentum=0.9992))
custom_hooks = [dict(type='MutualEMAHook', momentum=0.992, warm_up=True)]
