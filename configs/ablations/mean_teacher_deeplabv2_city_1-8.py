# Figure 4, Mean Teacher: 59.81 mIoU in the paper; with all noises, as IML.
_base_ = '../rml/deeplabv2_deeplabv2_city_1-8.py'
learners = ['students.0', 'teachers.0']
model = dict(
    segmentors=[_base_.deeplabv2],
    rectifier=None,
    test_cfg=dict(score=learners),
)
val_evaluator = dict(learners=learners)
test_evaluator = dict(learners=learners)
train_cfg = dict(stages=1)
