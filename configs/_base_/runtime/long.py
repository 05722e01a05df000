# For runs of hours: batch statistics over all GPUs (not in the paper; ProDA's
# way), and a checkpoint at each validation.
_base_ = './default.py'
sync_bn = 'torch'
default_hooks = dict(checkpoint=dict(interval=5000))
