import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS, MODELS

from rml_mmseg.evaluation import LearnersIoUMetric
from rml_mmseg.evaluation.metrics import learners_iou_metric
from tests.toys import (
    METAINFO,
    sample_of,
    toy_model_cfg,
    toy_mutual,
    toy_runner,
    val_settings,
)

LEARNERS = ('students.0', 'ensemble')


def _samples(seed, batches=3):
    draw = torch.Generator().manual_seed(seed)

    def labels():
        return dict(data=torch.randint(3, (1, 6, 8), generator=draw))

    batch = []
    for _ in range(batches):
        truth = labels()
        truth['data'][0, 0] = 255
        batch.append(
            dict(
                gt_sem_seg=truth,
                pred_sem_seg=labels(),
                pred_students_0=labels(),
                pred_ensemble=labels(),
                img_path='x/1.png',
            )
        )
    return batch


def _alone(batches, key, **kwargs):
    metric = IoUMetric(**kwargs)
    metric.dataset_meta = METAINFO
    for batch in batches:
        metric.process(
            {}, [dict(sample, pred_sem_seg=sample[key]) for sample in batch]
        )
    return metric.evaluate(sum(map(len, batches)))


def test_a_test_set_without_masks_is_only_written(tmp_path):
    metric = LearnersIoUMetric(
        learners=LEARNERS, format_only=True, output_dir=str(tmp_path)
    )
    metric.dataset_meta = METAINFO
    (sample,) = _samples(0, 1)
    del sample['gt_sem_seg']
    metric.process({}, [sample])
    assert metric.evaluate(1) == {}
    assert [path.name for path in tmp_path.iterdir()] == ['1.png']


def _together(batches, learners=LEARNERS, **kwargs):
    metric = LearnersIoUMetric(learners=learners, **kwargs)
    metric.dataset_meta = METAINFO
    for batch in batches:
        metric.process({}, batch)
    return metric.evaluate(sum(map(len, batches)))


@pytest.mark.parametrize(
    'kwargs',
    [{}, dict(iou_metrics=['mIoU', 'mDice', 'mFscore']), dict(ignore_index=1)],
)
def test_equals_a_stock_metric_for_each_learner(kwargs):
    batches = [_samples(0), _samples(1)]
    scores = _together(batches, **kwargs)
    expected = _alone(batches, 'pred_sem_seg', **kwargs)
    for name, key in zip(LEARNERS, ('pred_students_0', 'pred_ensemble')):
        own = _alone(batches, key, **kwargs)
        expected.update({f'{name}/{k}': v for k, v in own.items()})
    assert list(scores) == list(expected)
    assert scores == pytest.approx(expected)
    assert scores['mIoU'] != scores['students.0/mIoU']


def test_by_hand():
    sample = dict(
        gt_sem_seg=dict(data=torch.tensor([[[0, 0, 1, 255]]])),
        pred_sem_seg=dict(data=torch.tensor([[[0, 0, 1, 1]]])),
        pred_students_0=dict(data=torch.tensor([[[0, 1, 1, 0]]])),
        img_path='x.png',
    )
    scores = _together([[sample]], learners=['students.0'])
    assert scores['mIoU'] == 100.0
    # Class 0: 1 of 2; class 1: 1 of 2; class 2 is absent.
    assert scores['students.0/mIoU'] == 50.0
    assert scores['students.0/aAcc'] == pytest.approx(66.67)


def test_without_learners_it_is_the_stock_metric():
    batches = [_samples(0)]
    assert _together(batches, ()) == _alone(batches, 'pred_sem_seg')


def test_a_second_evaluation_starts_from_nothing():
    metric = LearnersIoUMetric(learners=LEARNERS)
    metric.dataset_meta = METAINFO
    metric.process({}, _samples(0))
    metric.evaluate(3)
    metric.process({}, _samples(1))
    assert metric.evaluate(3) == _together([_samples(1)])


def test_prefix_is_kept_for_all():
    scores = _together([_samples(0)], prefix='val')
    assert 'val/mIoU' in scores
    assert 'val/students.0/mIoU' in scores
    assert all(name.startswith('val/') for name in scores)


def test_learner_without_prediction_is_an_error():
    with pytest.raises(KeyError, match=r"'teachers.1'.*model.test_cfg.score"):
        _together([_samples(0)], ['teachers.1'])


def test_merged_views_are_those_of_the_deployed_learner(monkeypatch):
    said = []
    monkeypatch.setattr(
        learners_iou_metric, 'print_log', lambda text, **_: said.append(text)
    )
    model = toy_mutual(test_cfg=dict(score=['students.0'])).eval()
    tta = MODELS.build(dict(type='SegTTAModel', module=model))
    metric = LearnersIoUMetric(learners=['students.0'])
    metric.dataset_meta = METAINFO
    mask = torch.arange(48).reshape(6, 8) % 3
    for image in torch.randn(2, 1, 3, 6, 8):
        views = dict(
            inputs=[image, image.flip(-1)],
            data_samples=[[sample_of(mask)], [sample_of(mask)]],
        )
        (merged,) = tta.test_step(views)
        assert 'pred_students_0' not in merged
        metric.process({}, [merged.to_dict()])
    assert set(metric.evaluate(2)) == {'aAcc', 'mIoU', 'mAcc'}
    assert ['not scored are students.0' in text for text in said] == [True]


def test_format_only_writes_the_deployed_predictions(tmp_path):
    metric = LearnersIoUMetric(
        learners=['students.0'], output_dir=str(tmp_path), format_only=True
    )
    metric.dataset_meta = METAINFO
    metric.process({}, _samples(0, batches=1))
    assert [path.name for path in tmp_path.iterdir()] == ['1.png']


def test_is_registered():
    init_default_scope('mmseg')
    metric = METRICS.build(
        dict(type='LearnersIoUMetric', learners=['ensemble'])
    )
    assert isinstance(metric, LearnersIoUMetric)


def test_validation_reads_every_image_once(tmp_path, monkeypatch):
    names = ['students.0', 'students.1', 'teachers.0', 'teachers.1']
    settings = val_settings(tmp_path)
    settings['val_evaluator']['learners'] = names
    cfg = toy_model_cfg(test_cfg=dict(score=names))
    runner = toy_runner(tmp_path, model=cfg, **settings)
    model = runner.model
    read = []
    for name in names:
        model.learner(name).backbone.register_forward_pre_hook(
            lambda *_, name=name: read.append(name)
        )
    loaded = []
    dataset = runner.val_loop.dataloader.dataset
    prepare = type(dataset).prepare_data
    monkeypatch.setattr(
        type(dataset),
        'prepare_data',
        lambda self, i: (loaded.append(i), prepare(self, i))[1],
    )
    scores = runner.val()
    assert loaded == [0, 1]
    assert sorted(read) == sorted(names * 2)
    assert scores['teachers.0/mIoU'] == scores['mIoU']
    assert len({scores[f'{name}/mIoU'] for name in names}) > 1
