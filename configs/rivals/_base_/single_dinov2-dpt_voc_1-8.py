# DINOv2's ViT-S with the head of DPT alone, in one stage from the start.
_base_ = '../../rml/segformer_dinov2-dpt_voc_1-8.py'
learners = ['students.0', 'teachers.0']
model = dict(
    segmentors=[_base_.dinov2],
    rectifier=None,
    test_cfg=dict(score=learners),
)
optim_wrapper = dict(students=[_base_.optim_wrapper.students[1]])
param_scheduler = {
    '_delete_': True,
    'students.0': _base_.param_scheduler['students.1'],
}
train_cfg = dict(stages=1, burn_in_iters=0)
val_evaluator = dict(learners=learners)
test_evaluator = dict(learners=learners)
