_base_ = [
    '../_base_/models/mutual_mobilenetv2_vit_small.py',
    '../_base_/datasets/camvid_160x120_1-8_semi.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/runtime/default.py',
]
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
# Half of the run on labels alone; section 3 of the paper gives no length.
train_cfg = dict(burn_in_iters=1000)
custom_hooks = [dict(type='MutualEMAHook', momentum=0.99, buffers='average')]
val_evaluator = dict(
    type='LearnersIoUMetric', learners=_base_.model.test_cfg.score
)
test_evaluator = val_evaluator
