"""Prediction by any learner, through stock tools."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from tests.toys import sample_of, toy_mutual, toy_segmentor

NAMES = ('students.0', 'students.1', 'teachers.0', 'teachers.1', 'ensemble')
IMAGES = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
SLIDE = dict(mode='slide', crop_size=(6, 6), stride=(4, 4))


def _samples(ori_shape=(8, 12)):
    samples = [sample_of(torch.zeros(8, 12)) for _ in IMAGES]
    for sample in samples:
        sample.set_metainfo(dict(ori_shape=ori_shape, padding_size=[0] * 4))
    return samples


def _model(**test_cfg):
    segmentors = [toy_segmentor(kernel_size=3, stride=2) for _ in range(2)]
    model = toy_mutual(2, segmentors=segmentors, test_cfg=test_cfg)
    return model.eval()


def _plain(model, name, **test_cfg):
    """A stock EncoderDecoder with a learner's weights."""
    cfg = toy_segmentor(kernel_size=3, stride=2)
    cfg['test_cfg'] = ConfigDict({'mode': 'whole', **test_cfg})
    plain = MODELS.build(cfg)
    plain.load_state_dict(model.learner(name).state_dict())
    return plain.eval()


def _ensemble(model, **test_cfg):
    probs = [
        _plain(model, f'teachers.{i}', **test_cfg).predict(IMAGES, _samples())
        for i in range(2)
    ]
    return [
        torch.stack([p.seg_logits.data.softmax(0) for p in pair]).mean(0)
        for pair in zip(*probs)
    ]


@torch.no_grad()
def test_each_learner_is_resized_by_its_own_head():
    segmentors = [toy_segmentor(kernel_size=3, stride=2) for _ in range(2)]
    segmentors[1]['decode_head']['align_corners'] = True
    names = ['teachers.0', 'teachers.1']

    def predicted(deployed):
        cfg = dict(predict_on=deployed, score=names)
        model = toy_mutual(2, segmentors=segmentors, test_cfg=cfg).eval()
        return model.predict(IMAGES, _samples((40, 60)))

    for other, name in (names, names[::-1]):
        for beside, alone in zip(predicted(other), predicted(name)):
            found = beside.get(f'pred_{name.replace(".", "_")}').data
            assert torch.equal(found, alone.pred_sem_seg.data)


@pytest.mark.parametrize('test_cfg', [{}, SLIDE], ids=['whole', 'slide'])
@pytest.mark.parametrize('name', NAMES[:-1])
@torch.no_grad()
def test_learner_predicts_as_a_stock_segmentor(name, test_cfg):
    model = _model(predict_on=name, **test_cfg)
    ours = model.predict(IMAGES, _samples())
    stock = _plain(model, name, **test_cfg).predict(IMAGES, _samples())
    for a, b in zip(ours, stock):
        assert torch.equal(a.seg_logits.data, b.seg_logits.data)
        assert torch.equal(a.pred_sem_seg.data, b.pred_sem_seg.data)
        assert set(a.keys()) == set(b.keys())


@torch.no_grad()
def test_slide_mode_differs_from_whole():
    whole, slide = (_model(**cfg).predict(IMAGES) for cfg in ({}, SLIDE))
    assert not torch.equal(whole[0].seg_logits.data, slide[0].seg_logits.data)


@pytest.mark.parametrize('test_cfg', [{}, SLIDE], ids=['whole', 'slide'])
@torch.no_grad()
def test_ensemble_is_the_mean_of_the_teachers_probabilities(test_cfg):
    model = _model(predict_on='ensemble', **test_cfg)
    ours = model.predict(IMAGES, _samples())
    for sample, probs in zip(ours, _ensemble(model, **test_cfg)):
        torch.testing.assert_close(
            sample.seg_logits.data.softmax(0), probs, atol=1e-5, rtol=1e-4
        )
        assert torch.equal(sample.pred_sem_seg.data[0], probs.argmax(0))


@torch.no_grad()
def test_first_teacher_is_deployed_by_default():
    model = _model()
    assert model.predict_on == 'teachers.0'
    stock = _plain(model, 'teachers.0').predict(IMAGES, _samples())
    ours = model.predict(IMAGES, _samples())
    assert torch.equal(ours[1].seg_logits.data, stock[1].seg_logits.data)


@torch.no_grad()
def test_all_that_are_scored_predict_beside_the_deployed():
    model = _model(predict_on='students.1', score=NAMES)
    results = model.predict(IMAGES, _samples())
    for name in NAMES[:-1]:
        stock = _plain(model, name).predict(IMAGES, _samples())
        for result, other in zip(results, stock):
            key = f'pred_{name.replace(".", "_")}'
            assert torch.equal(result.get(key).data, other.pred_sem_seg.data)
    for result, probs in zip(results, _ensemble(model)):
        assert torch.equal(result.pred_ensemble.data[0], probs.argmax(0))
        assert torch.equal(
            result.pred_sem_seg.data, result.pred_students_1.data
        )


@torch.no_grad()
def test_every_learner_reads_a_batch_once():
    model = _model(predict_on='teachers.1', score=NAMES[:-1])
    read = {}
    for name in NAMES[:-1]:
        model.learner(name).backbone.register_forward_pre_hook(
            lambda module, args, name=name: read.setdefault(name, []).append(
                args[0]
            )
        )
    model.predict(IMAGES, _samples())
    assert sorted(read) == sorted(NAMES[:-1])
    assert all(len(batches) == 1 for batches in read.values())
    # Without ground truth, as in inference, only the deployed one runs.
    samples = _samples()
    for sample in samples:
        del sample.gt_sem_seg
    for given in (samples, None):
        read.clear()
        results = model.predict(IMAGES, given)
        assert sorted(read) == ['teachers.1']
        assert 'pred_teachers_1' not in results[0]


@torch.no_grad()
def test_predictions_come_at_the_original_size():
    model = _model(score=['students.0'])
    for result in model.predict(IMAGES, _samples((16, 20))):
        assert result.pred_sem_seg.data.shape == (1, 16, 20)
        assert result.pred_students_0.data.shape == (1, 16, 20)


@torch.no_grad()
def test_padding_of_a_test_image_is_cut_off():
    model = _model(predict_on='students.0', score=['teachers.0'])
    samples = _samples((6, 8))
    for sample in samples:
        sample.set_metainfo(dict(img_shape=(6, 8), padding_size=[0, 4, 0, 2]))
    for result in model.predict(IMAGES, samples):
        assert result.pred_teachers_0.data.shape == (1, 6, 8)
    logits = model.students[0]._forward(IMAGES)
    whole = F.interpolate(logits, (8, 12), mode='bilinear')
    expected = whole[:, :, :6, :8].argmax(1)
    assert torch.equal(samples[0].pred_sem_seg.data[0], expected[0])


@torch.no_grad()
def test_flipped_images_are_flipped_back():
    model = _model(score=['students.0'])
    samples = _samples()
    for sample in samples:
        sample.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    plain = model.predict(IMAGES, _samples())
    flipped = model.predict(IMAGES, samples)
    for a, b in zip(plain, flipped):
        assert torch.equal(
            a.pred_students_0.data.flip(-1), b.pred_students_0.data
        )
        assert torch.equal(a.pred_sem_seg.data.flip(-1), b.pred_sem_seg.data)


@torch.no_grad()
def test_without_samples_the_size_is_the_image_s():
    result = _model(predict_on='ensemble').predict(IMAGES)
    assert len(result) == 2
    assert result[0].pred_sem_seg.data.shape == (1, 8, 12)


@pytest.mark.parametrize('name', ['students.1', 'teachers.1'])
@torch.no_grad()
def test_stock_entry_points_serve_the_deployed_learner(name):
    model = _model(predict_on=name)
    learner = model.learner(name)
    assert torch.equal(
        model(IMAGES, mode='tensor'), learner(IMAGES, mode='tensor')
    )
    metas = [sample.metainfo for sample in _samples()]
    assert torch.equal(
        model.encode_decode(IMAGES, metas),
        learner.encode_decode(IMAGES, metas),
    )
    assert torch.equal(
        model.extract_feat(IMAGES)[0], learner.extract_feat(IMAGES)[0]
    )
    assert model.decode_head is learner.decode_head
    assert model.align_corners is False
    assert model.out_channels == model.num_classes == 3
    samples = model(IMAGES, _samples(), mode='predict')
    assert samples[0].pred_sem_seg.data.shape == (1, 8, 12)


@pytest.mark.parametrize('name', ['teachers.1', 'ensemble'])
@torch.no_grad()
def test_test_time_augmentation(name):
    model = _model(predict_on=name)
    flipped = _samples()
    for sample in flipped:
        sample.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    tta = MODELS.build(dict(type='SegTTAModel', module=model))
    merged = tta.test_step(
        dict(
            inputs=[IMAGES[:1], IMAGES[:1].flip(-1)],
            data_samples=[_samples()[:1], flipped[:1]],
        )
    )
    logits = [
        model.predict(IMAGES[:1], _samples()[:1])[0].seg_logits.data,
        model.predict(IMAGES[:1].flip(-1), flipped[:1])[0].seg_logits.data,
    ]
    expected = sum(each.softmax(0) for each in logits).argmax(0)
    assert torch.equal(merged[0].pred_sem_seg.data[0], expected)


def test_test_settings_reach_every_learner_and_leave_the_config_alone():
    segmentor = toy_segmentor()
    segmentor['test_cfg'] = dict(mode='whole', extra=1)
    test_cfg = dict(predict_on='students.0', **SLIDE)
    model = toy_mutual(2, segmentors=[segmentor] * 2, test_cfg=test_cfg)
    for network in (*model.students, *model.teachers):
        assert network.test_cfg.mode == 'slide'
        assert network.test_cfg.stride == (4, 4)
        assert network.test_cfg.extra == 1
    assert test_cfg['predict_on'] == 'students.0'
    assert segmentor['test_cfg'] == dict(mode='whole', extra=1)


@torch.no_grad()
def test_a_learner_of_windows_leaves_those_of_whole_images_alone():
    segmentors = [toy_segmentor(kernel_size=3, stride=2) for _ in range(2)]
    segmentors[0]['test_cfg'] = SLIDE
    model = toy_mutual(2, segmentors=segmentors).eval()

    def logits(*names):
        metas = [dict(sample.metainfo) for sample in _samples()]
        return [model.predict_logits(n, IMAGES, metas) for n in names][-1]

    alone, after = logits('teachers.1'), logits('teachers.0', 'teachers.1')
    assert torch.equal(after, alone)


def test_a_test_puts_teachers_into_eval_mode():
    model = toy_mutual(2)
    # The conversion to SyncBatchNorm leaves them in training mode.
    model.teachers.train()
    model.eval()
    assert not any(module.training for module in model.modules())
