# Two stages of 90k iterations: section 5.2.
_base_ = './sgd_90k.py'
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
# Section 3 first trains on the labelled images, but gives no length.
train_cfg = dict(stages=2, burn_in_iters=10000)
