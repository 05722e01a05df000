import pytest
import torch

from rml_mmseg.evaluation import ClassIoUMetric, LearnersIoUMetric

META = dict(classes=('wall', 'crack'), palette=[[0, 0, 0], [255, 255, 255]])
# Of the crack two pixels are found, one is missed and one is wrong.
TRUTH = torch.tensor([[[0, 0, 0, 1, 1, 1, 255]]])
FOUND = torch.tensor([[[0, 0, 1, 1, 1, 0, 1]]])
SAMPLE = dict(
    gt_sem_seg=dict(data=TRUTH),
    pred_sem_seg=dict(data=FOUND),
    pred_students_0=dict(data=TRUTH.clamp(max=1)),
)


def evaluate(metric):
    metric.dataset_meta = META
    metric.process({}, [SAMPLE])
    return metric.evaluate(1)


def test_scores_of_a_class():
    metric = ClassIoUMetric(classes=['crack'], iou_metrics=['mIoU', 'mDice'])
    names = metric.score_names()
    scores = evaluate(metric)
    assert names == scores.keys()
    # 2 of 4, 2 * 2 of 6 and 2 of 3.
    assert scores['IoU.crack'] == 50
    assert scores['Dice.crack'] == pytest.approx(66.67)
    assert scores['Acc.crack'] == pytest.approx(66.67)
    assert scores['mIoU'] == 50


def test_without_classes_as_mmseg():
    assert evaluate(ClassIoUMetric()).keys() == {'aAcc', 'mIoU', 'mAcc'}


def test_of_several_learners():
    metric = LearnersIoUMetric(learners=['students.0'], classes=['crack'])
    scores = evaluate(metric)
    assert scores['IoU.crack'] == 50
    assert scores['students.0/IoU.crack'] == 100


def test_unknown_class_is_refused():
    metric = ClassIoUMetric(classes=['crak'])
    with pytest.raises(ValueError, match="'crak' is unknown; did you mean 'c"):
        metric.dataset_meta = META
    with pytest.raises(ValueError, match="list of names, got 'crack'"):
        ClassIoUMetric(classes='crack')


@pytest.mark.parametrize('kind', [ClassIoUMetric, LearnersIoUMetric])
def test_unknown_settings_are_refused(kind):
    with pytest.raises(ValueError, match="did you mean 'ignore_index'"):
        kind(ignore_idx=0)
    with pytest.raises(ValueError, match="did you mean 'classes'"):
        kind(klasses=['crack'])
    # As of mmseg's own tools/test.py.
    kind(keep_results=True)


def _sample(truth, found):
    return dict(
        gt_sem_seg=dict(data=torch.tensor([[truth]])),
        pred_sem_seg=dict(data=torch.tensor([[found]])),
    )


def test_scores_are_of_the_named_class_over_all_images():
    metric = ClassIoUMetric(classes=['crack'])
    metric.dataset_meta = META
    metric.process({}, [_sample([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0])])
    metric.process({}, [_sample([0, 1, 1, 1], [0, 1, 1, 1])])
    scores = metric.evaluate(2)
    # 1 of 2 and 3 of 3; of the wall 4 of 5 and 1 of 1.
    assert scores['IoU.crack'] == 80.0
    assert scores['Acc.crack'] == 80.0
    assert scores['mIoU'] == round((80 + 100 * 5 / 6) / 2, 2)
