_base_ = [
    '../_base_/models/mutual_resnet_vit_tiny.py',
    '../_base_/datasets/textured_scenes_semi.py',
    '../_base_/schedules/adamw_1400.py',
    '../_base_/runtime/default.py',
]
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
# Not in the paper: the first sixth of the run uses the labels alone.
train_cfg = dict(burn_in_iters=250)
custom_hooks = [dict(type='MutualEMAHook', momentum=0.99)]
val_evaluator = dict(
    type='LearnersIoUMetric', learners=_base_.model.test_cfg.score
)
test_evaluator = val_evaluator
