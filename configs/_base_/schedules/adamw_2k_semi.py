# The schedule of adamw_2k.py for learners that teach each other. Half of it
# is on ground truth alone; section 3 of the paper gives no length.
_base_ = './adamw_2k.py'
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
train_cfg = dict(burn_in_iters=1000)
custom_hooks = [dict(type='MutualEMAHook', momentum=0.99, buffers='average')]
