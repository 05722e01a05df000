import math

import pytest
import torch
import torch.nn.functional as F

from rml_mmseg.models.utils import prototype_weights, rectify
from rml_mmseg.models.utils.pseudo_labels import sample_logits
from tests.toys import total, toy_batch, toy_mutual, toy_segmentor


def _probs(network, images):
    was = network.training
    network.eval()
    with torch.no_grad():
        logits = network._forward(images)
    network.train(was)
    return F.interpolate(
        logits, images.shape[-2:], mode='bilinear', align_corners=False
    ).softmax(1)


def _targets(model, inputs):
    return [
        {name: (labels, weight) for name, labels, weight in own}
        for own in model.pseudo_labeller(model, inputs)
    ]


def _model(learners=2, rectifier=None, **cfg):
    segmentors = [
        toy_segmentor(dropout=0.5, stride=2) for _ in range(learners)
    ]
    return toy_mutual(
        learners,
        rectifier=rectifier,
        segmentors=segmentors,
        semi_train_cfg=cfg,
    )


def test_every_student_learns_from_its_own_and_all_peers_teachers():
    model = _model(3, self_weight=0.5, peer_weight=0.25, unsup_weight=2.0)
    inputs, _ = toy_batch()
    labels = [_probs(t, inputs['weak']).argmax(1) for t in model.teachers]
    assert not torch.equal(labels[0], labels[1])
    for i, own in enumerate(_targets(model, inputs)):
        peers = [j for j in range(3) if j != i]
        assert list(own) == ['self', *(f'peer{j}' for j in peers)]
        assert torch.equal(own['self'][0], labels[i])
        assert own['self'][1] == 1.0
        for j in peers:
            assert torch.equal(own[f'peer{j}'][0], labels[j])
            assert own[f'peer{j}'][1] == 0.5


def test_direct_mutual_learning_takes_the_students_without_dropout():
    model = _model(2, peer_source='student', self_weight=0)
    inputs, _ = toy_batch()
    labels = [_probs(s, inputs['weak']).argmax(1) for s in model.students]
    targets = _targets(model, inputs)
    assert [list(own) for own in targets] == [['peer1'], ['peer0']]
    assert torch.equal(targets[0]['peer1'][0], labels[1])
    assert torch.equal(targets[1]['peer0'][0], labels[0])
    assert all(module.training for module in model.students.modules())


def test_direct_labels_move_no_running_statistics():
    model = toy_mutual(
        segmentors=[toy_segmentor(norm=True) for _ in range(2)],
        rectifier=None,
        semi_train_cfg=dict(peer_source='student'),
    )
    model.pseudo_labeller(model, toy_batch()[0])
    for student in model.students:
        assert int(student.backbone.norm.num_batches_tracked) == 0


def test_self_comes_from_the_teacher_beside_direct_peers():
    model = _model(2, peer_source='student')
    inputs, _ = toy_batch()
    own = _targets(model, inputs)[0]
    teacher = _probs(model.teachers[0], inputs['weak']).argmax(1)
    student = _probs(model.students[1], inputs['weak']).argmax(1)
    assert torch.equal(own['self'][0], teacher)
    assert torch.equal(own['peer1'][0], student)


@pytest.mark.parametrize(
    ('cfg', 'names'),
    [(dict(self_weight=0), ['peer1']), (dict(peer_weight=0), ['self'])],
)
def test_weight_of_zero_leaves_a_target_out(cfg, names):
    own = _targets(_model(2, **cfg), toy_batch()[0])[0]
    assert list(own) == names


def test_each_rectifier_weighs_its_own_teacher_s_labels():
    sharp = dict(type='PrototypeRectifier', temperature=20.0)
    model = _model(2, rectifier=sharp)
    inputs, _ = toy_batch()
    expected = []
    for teacher, rectifier in zip(model.teachers, model.rectifiers):
        probs = _probs(teacher, inputs['weak'])
        features = teacher.backbone(inputs['weak'])[0]
        weights = prototype_weights(features, rectifier.prototypes, 20.0)
        expected.append(rectify(probs, weights))
        assert not torch.equal(expected[-1], probs.argmax(1))
    first, second = _targets(model, inputs)
    assert torch.equal(first['self'][0], expected[0])
    assert torch.equal(first['peer1'][0], expected[1])
    assert torch.equal(second['self'][0], expected[1])
    assert torch.equal(second['peer0'][0], expected[0])


@pytest.mark.parametrize('rectified', [True, False])
def test_teachers_may_share_the_mean_of_their_soft_labels(rectified):
    sharp = dict(type='PrototypeRectifier', temperature=20.0)
    model = _model(2, rectifier=sharp if rectified else None, ensemble_p0=True)
    inputs, _ = toy_batch()
    own = [_probs(teacher, inputs['weak']) for teacher in model.teachers]
    mean = (own[0] + own[1]) / 2
    assert not torch.equal(mean.argmax(1), own[0].argmax(1))
    first, second = _targets(model, inputs)
    for i, labels in enumerate((first['self'][0], second['self'][0])):
        if rectified:
            features = model.teachers[i].backbone(inputs['weak'])[0]
            prototypes = model.rectifiers[i].prototypes
            weights = prototype_weights(features, prototypes, 20.0)
            expected = rectify(mean, weights)
            assert not torch.equal(expected, mean.argmax(1))
        else:
            expected = mean.argmax(1)
        assert torch.equal(labels, expected)
    assert torch.equal(second['peer0'][0], first['self'][0])


def test_prototypes_gather_what_the_teacher_itself_says():
    model = _model(1, rectifier=dict(type='PrototypeRectifier', momentum=0.0))
    inputs, _ = toy_batch()
    before = model.rectifiers[0].prototypes.clone()
    model.pseudo_labeller(model, inputs)
    assert torch.equal(model.rectifiers[0].prototypes, before)
    features = model.teachers[0].backbone(inputs['weak'])[0]
    says = model.teachers[0]._forward(inputs['weak']).argmax(1)
    model.rectifiers[0].update()
    for k in range(3):
        mine = features.permute(0, 2, 3, 1)[says == k]
        expected = mine.mean(0) if len(mine) else before[k]
        torch.testing.assert_close(
            model.rectifiers[0].prototypes[k], expected.detach()
        )


def test_students_learn_in_mixed_precision_what_students_say():
    """Autocast keeps casts of weights, here of a pass without gradients."""
    model = _model(2, peer_source='student', self_weight=0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        total(model.loss(*toy_batch())).backward()
    for name, weight in model.students.named_parameters():
        assert weight.grad is not None, name


def test_padding_moves_no_prototype_and_no_share():
    moved = []
    aligned = dict(type='PrototypeRectifier', alignment=2.0)
    for filling in (0.0, 1e4):
        model = toy_mutual(1, rectifier=aligned)
        inputs, _ = toy_batch()
        inputs['valid'][0, 4:] = False
        inputs['valid'][1, :, 3:] = False
        outside = ~inputs['valid'][:, None]
        inputs['weak'] = inputs['weak'].masked_fill(outside, filling)
        model.pseudo_labeller(model, inputs)
        model.rectifiers[0].update()
        moved.append(model.rectifiers[0])
    assert torch.equal(moved[0].prototypes, moved[1].prototypes)
    assert moved[0].counts.sum() == 3 + 4 * 8 + 6 * 3
    torch.testing.assert_close(moved[0].shares, moved[1].shares)
    assert moved[0].shares.any()


def test_all_padding_moves_nothing():
    model = toy_mutual(1)
    inputs, _ = toy_batch()
    inputs['valid'][:] = False
    before = model.rectifiers[0].prototypes.clone()
    model.pseudo_labeller(model, inputs)
    model.rectifiers[0].update()
    assert torch.equal(model.rectifiers[0].prototypes, before)


def test_threshold_ignores_what_is_not_confident():
    inputs, _ = toy_batch()
    model = _model(1, confidence=0.7)
    probs = _probs(model.teachers[0], inputs['weak'])
    trusted = probs.amax(1) >= 0.7
    assert 0 < trusted.sum() < trusted.numel()
    labels = _targets(model, inputs)[0]['self'][0]
    assert torch.equal(labels, probs.argmax(1).masked_fill(~trusted, 255))


@pytest.mark.parametrize('unlabelled', [False, True])
def test_threshold_is_of_the_label_that_the_rectifier_gives(unlabelled):
    def change(ids, top):
        other = (ids + 1) % 3
        return other.fill_(255) if unlabelled else other

    inputs, _ = toy_batch()
    seen = []
    for cfg in ({}, dict(confidence=0.2), dict(confidence_share=0.2)):
        torch.manual_seed(0)
        model = weighing(change, **cfg)
        seen.append(_targets(model, inputs)[0]['self'])
    (given, _), (kept, _), (_, share) = seen
    probs = _probs(model.teachers[0], inputs['weak'])
    own = probs.gather(1, given.clamp(max=2)[:, None])[:, 0]
    sure = (own >= 0.2) & (given < 255)
    assert unlabelled or 0 < sure.sum() < sure.numel()
    assert torch.equal(kept, given.masked_fill(~sure, 255))
    shown = inputs['valid']
    assert float(share) == pytest.approx(2 * float(sure[shown].float().mean()))


def test_ramp_up_follows_the_iteration():
    model = _model(1, ramp_up_iters=4, unsup_weight=3.0, self_weight=2.0)
    inputs, _ = toy_batch()
    for iteration, share in ((0, math.exp(-5)), (2, math.exp(-1.25)), (4, 1)):
        model.iteration = iteration
        weight = _targets(model, inputs)[0]['self'][1]
        assert weight == pytest.approx(6 * share)


def test_labels_carry_no_gradient_and_repeat_bit_for_bit():
    model = _model(2, rectifier=True)
    inputs, _ = toy_batch()
    torch.manual_seed(0)
    first = _targets(model, inputs)
    torch.manual_seed(1)
    second = _targets(model, inputs)
    for a, b in zip(first, second):
        for name, (labels, _) in a.items():
            assert torch.equal(labels, b[name][0])
            assert not labels.requires_grad


def test_labels_of_the_stage_s_start_must_be_in_the_batch():
    model = _model(1, p0='stage')
    with pytest.raises(RuntimeError, match=r"p0='stage'.*StagedTrainLoop"):
        model.pseudo_labeller(model, toy_batch()[0])


def _whole_image_places(size, count):
    height, width = size
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height,
        (torch.arange(width) + 0.5) / width,
        indexing='ij',
    )
    return [torch.stack([x, y])] * count


def test_stored_labels_without_rectifiers_need_no_teacher():
    model = _model(2, p0='stage')
    inputs, _ = toy_batch()
    stored = torch.randn(2, 2, 3, 6, 8)
    inputs['soft_labels'] = [list(own) for own in stored]
    inputs['places'] = _whole_image_places((6, 8), 2)
    passes = []
    for teacher in model.teachers:
        teacher.backbone.register_forward_hook(lambda *_: passes.append(1))
    first, _ = _targets(model, inputs)
    assert torch.equal(first['peer1'][0], stored[1].argmax(1))
    assert passes == []
    # A monitor compares the teachers as they are.
    model.record = {}
    _targets(model, inputs)
    assert len(passes) == 2 and len(model.record['predictions']) == 2


def test_labels_of_the_stage_s_start_replace_today_s_probabilities():
    model = _model(2, rectifier=True, p0='stage')
    inputs, _ = toy_batch()
    stored = torch.randn(2, 2, 3, 3, 4)
    inputs['soft_labels'] = [list(own) for own in stored]
    inputs['places'] = _whole_image_places((6, 8), 2)
    first, _ = _targets(model, inputs)
    for name, i in (('self', 0), ('peer1', 1)):
        probs = F.interpolate(stored[i], (6, 8), mode='bilinear').softmax(1)
        features = model.teachers[i].backbone(inputs['weak'])[0]
        weights = prototype_weights(features, model.rectifiers[i].prototypes)
        assert torch.equal(first[name][0], rectify(probs, weights))


class TestSampleLogits:
    def test_whole_image_is_as_if_resized(self):
        logits = torch.randn(3, 4, 5)
        places = _whole_image_places((9, 7), 1)[0]
        expected = F.interpolate(
            logits[None], (9, 7), mode='bilinear', align_corners=False
        )
        torch.testing.assert_close(sample_logits(logits, places), expected[0])

    def test_crop_and_flip_take_their_part(self):
        logits = torch.randn(3, 4, 5)
        places = _whole_image_places((9, 7), 1)[0]
        whole = sample_logits(logits, places)
        part = sample_logits(logits, places[:, 2:6, 1:4].flip(-1))
        assert torch.equal(part, whole[:, 2:6, 1:4].flip(-1))

    def test_low_precision_is_enlarged_in_float32(self):
        places = _whole_image_places((2, 2), 1)[0]
        logits = torch.randn(3, 2, 2).half()
        sampled = sample_logits(logits, places)
        assert sampled.dtype == torch.float32
        torch.testing.assert_close(sampled, logits.float())


def test_record_keeps_what_monitors_ask_for():
    model = _model(2, rectifier=True, confidence=0.9)
    inputs, _ = toy_batch()
    model.record = {}
    targets = _targets(model, inputs)
    sources = model.record['sources']
    assert set(sources) == {'teachers.0', 'teachers.1'}
    probs = _probs(model.teachers[1], inputs['weak'])
    torch.testing.assert_close(sources['teachers.1']['probs'], probs)
    assert torch.equal(sources['teachers.1']['plain'], probs.argmax(1))
    labels = sources['teachers.1']['labels']
    kept = targets[1]['self'][0]
    assert torch.equal(kept[kept != 255], labels[kept != 255])


def test_soft_labels_teach_nobody_who_makes_them():
    model = toy_mutual(
        2,
        rectifier=None,
        semi_train_cfg=dict(
            peer_source='student',
            self_weight=0.0,
            loss=dict(type='ConsistencyLoss'),
        ),
    )
    model.loss(*toy_batch())['students.0.loss_peer1'].backward()
    assert all(p.grad is None for p in model.students[1].parameters())


def test_monitors_are_given_probabilities_of_today():
    model = toy_mutual(2, segmentors=[toy_segmentor(stride=2)] * 2)
    inputs, samples = toy_batch()
    model.record = {}
    model.loss(inputs, samples)
    for teacher, found in zip(model.teachers, model.record['predictions']):
        logits = F.interpolate(
            teacher._forward(inputs['weak']),
            inputs['weak'].shape[-2:],
            mode='bilinear',
            align_corners=False,
        )
        torch.testing.assert_close(found, logits.softmax(1))


@pytest.mark.parametrize('name', ['confidence', 'confidence_share'])
def test_probability_of_just_the_threshold_is_trusted(name):
    segmentors = [toy_segmentor(num_classes=4)]
    inputs, samples = toy_batch()
    losses = []
    for cfg in ({}, {name: 0.25}):
        model = toy_mutual(
            segmentors=segmentors, rectifier=None, semi_train_cfg=cfg
        )
        for parameter in model.teachers.parameters():
            parameter.zero_()
        losses.append(model.loss(inputs, samples)['students.0.loss_self'])
    assert losses[0] > 0
    assert torch.equal(*losses)


def weighing(change, **cfg):
    """A model of which the first rectifier weighs pixels."""
    kind = dict(type='PrototypeRectifier')
    model = _model(rectifier=kind, unsup_weight=2.0, **cfg)
    unit = model.rectifiers[0]
    plain = unit.forward

    def forward(probs, features, valid=None):
        return change(plain(probs, features, valid), probs.amax(1))

    unit.forward = forward
    return model


def test_a_rectifier_may_weigh_pixels():
    model, (inputs, _) = weighing(lambda ids, top: (ids, top)), toy_batch()
    first, second = _targets(model, inputs)
    top = _probs(model.teachers[0], inputs['weak']).amax(1)
    torch.testing.assert_close(first['self'][1], 2 * top)
    torch.testing.assert_close(second['peer0'][1], 2 * top)
    # Those of the other one have one weight.
    assert first['peer1'][1] == second['self'][1] == 2.0
    batch, samples = toy_batch()
    cost = total(model.loss(batch, samples))
    assert cost.isfinite() and cost.requires_grad


def test_weights_of_pixels_are_on_top_of_the_share_of_sure_ones():
    inputs, _ = toy_batch()
    torch.manual_seed(0)
    teacher = weighing(lambda ids, top: ids).teachers[0]
    median = float(_probs(teacher, inputs['weak']).amax(1).median())
    targets = []
    for change in (lambda ids, top: ids, lambda ids, top: (ids, top)):
        torch.manual_seed(0)
        model = weighing(change, confidence_share=median)
        targets.append(_targets(model, inputs)[0]['self'][1])
    top = _probs(model.teachers[0], inputs['weak']).amax(1)
    assert 0 < float(targets[0]) < 2
    torch.testing.assert_close(targets[1], targets[0] * top)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda ids, top: (ids, top[:, :1]), 'must return weights of the sha'),
        (lambda ids, top: ids[:1], 'must return class ids of the shape'),
    ],
)
def test_maps_of_another_size_are_refused(change, message):
    with pytest.raises(ValueError, match=f'PrototypeRectifier {message}'):
        _targets(weighing(change), toy_batch()[0])
