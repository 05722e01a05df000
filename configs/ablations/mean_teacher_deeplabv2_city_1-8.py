# Figure 4, Mean Teacher: 59.81 mIoU in the paper; with all noises, as IML.
_base_ = './_base_/figure_4.py'
learners = ['students.0', 'teachers.0']
model = dict(
    segmentors=[_base_.deeplabv2],
    rectifier=None,
    test_cfg=dict(score=learners),
)
val_evaluator = dict(learners=learners)
test_evaluator = dict(learners=learners)
