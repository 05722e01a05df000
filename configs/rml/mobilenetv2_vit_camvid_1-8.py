_base_ = [
    '../_base_/models/mutual_mobilenetv2_vit_small.py',
    '../_base_/datasets/camvid_160x120_1-8_semi.py',
    '../_base_/schedules/adamw_2k_semi.py',
    '../_base_/runtime/default.py',
]
# The best on validation images when chosen: docs/results.md.
model = dict(
    rectifier=dict(temperature=0.4),
    semi_train_cfg=dict(p0='stage', unsup_weight=0.25),
)
val_evaluator = dict(
    type='LearnersIoUMetric', learners=_base_.model.test_cfg.score
)
test_evaluator = val_evaluator
