# Figure 4, direct mutual learning: 60.61 mIoU in the paper; noises as in IML.
_base_ = './_base_/figure_4.py'
model = dict(
    rectifier=None,
    # Eq. 3: the peer's own labels and nothing else.
    semi_train_cfg=dict(peer_source='student', self_weight=0.0),
    test_cfg=dict(predict_on='students.0'),
)
