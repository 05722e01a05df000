# UniMatch V2 (arXiv 2410.10777) with its paper's network and moving average,
# on this package's VOC splits. Not measured yet.
_base_ = './_base_/single_dinov2-dpt_voc_1-8.py'
learning = dict(confidence=0.95, strong_views=2, complementary_dropout=0.5)
model = dict(semi_train_cfg=learning)
custom_hooks = [dict(type='MutualEMAHook', momentum=0.996)]
pipeline = [
    *_base_.unlabelled_pipeline[:-2],
    dict(type='CutMix', num_masks=2),
    _base_.unlabelled_pipeline[-1],
]
train_dataloader = dict(dataset=dict(unlabelled=dict(pipeline=pipeline)))
