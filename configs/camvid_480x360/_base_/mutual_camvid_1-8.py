# Building blocks of the methods at 480x360: the networks with the paper's
# model noise (`noisy`; `plain` has none), the parts of the unlabelled
# pipeline, and the schedule.
_base_ = [
    '../../_base_/models/mutual_deeplabv2-r50_vit.py',
    '../../_base_/datasets/camvid_480x360_1-8_semi.py',
    '../../_base_/schedules/adamw_4k.py',
    '../../_base_/runtime/default.py',
]
# Weight for one teacher: as much as the two teachers of a pair together.
one_source = 2 * _base_.model.semi_train_cfg.unsup_weight
# Dropout 0.5 before the classifier and stochastic depth with survival 0.8;
# this ResNet has no stochastic depth.
noisy = [
    dict(
        _base_.deeplabv2,
        decode_head=dict(_base_.deeplabv2.decode_head, dropout_ratio=0.5),
    ),
    dict(
        _base_.vit,
        neck=dict(_base_.vit.neck, drop_path_rate=0.2),
        decode_head=dict(_base_.vit.decode_head, dropout_ratio=0.5),
    ),
]
geometry = _base_.unlabelled_pipeline[:-3]
weak_view = dict(type='WeakStrongViews', num_strong=1)
two_weak_views = dict(type='WeakStrongViews', num_strong=2)
strong_view = dict(
    type='WeakStrongViews',
    strong=[dict(type='PhotometricRandAugment', magnitude_level=5)],
    num_strong=1,
)
pack = dict(type='PackSemiSegInputs')
optim_wrapper = dict(constructor='MutualOptimWrapperConstructor')
train_cfg = dict(burn_in_iters=2000)
custom_hooks = [dict(type='MutualEMAHook', momentum=0.99)]
val_evaluator = dict(
    type='LearnersIoUMetric', learners=_base_.model.test_cfg.score
)
test_evaluator = val_evaluator
