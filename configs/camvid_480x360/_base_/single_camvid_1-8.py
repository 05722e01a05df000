# One DeepLabV2 and its moving average.
_base_ = './mutual_camvid_1-8.py'
learners = ['students.0', 'teachers.0']
model = dict(
    segmentors=_base_.plain[:1],
    rectifier=None,
    semi_train_cfg=dict(unsup_weight=_base_.one_source),
    test_cfg=dict(score=learners),
)
val_evaluator = dict(learners=learners)
test_evaluator = dict(learners=learners)
