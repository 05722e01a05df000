# The first learner and its own teacher, without noise, like IML here.
_base_ = './_base_/camvid_1-8.py'
learners = ['students.0', 'teachers.0']
model = dict(
    segmentors=_base_.plain[:1],
    rectifier=None,
    semi_train_cfg=dict(unsup_weight=_base_.one_source),
    test_cfg=dict(score=learners),
)
train_dataloader = dict(
    dataset=dict(unlabelled=dict(pipeline=_base_.unlabelled_pipeline_plain))
)
val_evaluator = dict(learners=learners)
test_evaluator = dict(learners=learners)
