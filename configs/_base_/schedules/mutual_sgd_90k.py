# Two stages of 90k iterations: section 5.2.
_base_ = './sgd_90k.py'
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
# Section 3 trains on the labelled images first, but gives no length: here this
# is a part of the first stage.
train_cfg = dict(stages=2, burn_in_iters=10000)
