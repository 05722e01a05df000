# A first look at the grid of camvid_gpu.py: stages of 600 iterations, a few
# minutes a run.
_base_ = './camvid_gpu.py'
iterations = 600
burn_in = 300
options = {
    'train_cfg.iters_per_stage': iterations,
    'param_scheduler.0.periods': [iterations],
    'train_cfg.val_interval': burn_in,
    'default_hooks.checkpoint.interval': burn_in,
    'train_dataloader.num_workers': 2,
}
as_long = _base_.as_long // _base_.iterations * iterations
methods = {
    name: dict(options={'train_cfg.burn_in_iters': burn_in})
    for name in _base_.methods
    if not name.startswith('supervised')
}
methods['supervised_as_long'] = dict(
    options={
        'train_cfg.iters_per_stage': as_long,
        'param_scheduler.0.periods': [as_long],
        'train_cfg.val_interval': iterations,
    }
)
