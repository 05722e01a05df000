# Two stages of 90k iterations: section 5.2.
_base_ = './sgd_90k.py'
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
train_cfg = dict(stages=2)
