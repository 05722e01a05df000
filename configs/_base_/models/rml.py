# Robust Mutual Learning over the `segmentors` that a config names.
model = dict(
    type='MutualSemiSegmentor',
    # Section 4.2: the momentum of Eq. 11; Eq. 9 has no temperature.
    rectifier=dict(type='PrototypeRectifier', momentum=0.9999),
    semi_train_cfg=dict(
        # The paper has no weights in Eq. 1 and Eq. 5.
        unsup_weight=1.0,
        self_weight=1.0,
        peer_weight=1.0,
        peer_source='teacher',
        p0='online',
        # "We do not rely on" a threshold: section 4.2.
        confidence=None,
    ),
    test_cfg=dict(
        mode='whole',
        predict_on='teachers.0',
        score=[
            'students.0',
            'students.1',
            'teachers.0',
            'teachers.1',
            'ensemble',
        ],
    ),
)
# Not in the paper: ProDA's momentum, with the warm-up of Mean Teacher [4].
custom_hooks = [dict(type='MutualEMAHook', momentum=0.999, warm_up=True)]
