"""The losses against Eq. 1, 5 and 6 of RML written out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead

from tests.toys import (
    pasted,
    sample_of,
    total,
    toy_batch,
    toy_mutual,
    toy_segmentor,
)


def _resized(logits, images):
    return F.interpolate(
        logits, images.shape[-2:], mode='bilinear', align_corners=False
    )


def _soft(network, images):
    with torch.no_grad():
        return _resized(network._forward(images), images).softmax(1)


def _rectified(model, i, images):
    """argmax of weight * probability, the weight by Eq. 9."""
    probs = _soft(model.teachers[i], images)
    if not model.rectifiers:
        return probs.argmax(1)
    features = model.teachers[i].backbone(images)[0].detach()
    n, _, h, w = features.shape
    prototypes = model.rectifiers[i].prototypes
    distances = torch.cdist(
        features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]), prototypes
    )
    weights = (-distances).softmax(1).view(n, h, w, -1).permute(0, 3, 1, 2)
    return (_resized(weights, images) * probs).argmax(1)


def _expected(model, inputs, samples, labels=None, boxes=None):
    """Losses by name, from loops over students, sources and pixels."""
    count = len(model.students)
    cfg = model.semi_train_cfg
    if labels is None:
        labels = [_rectified(model, i, inputs['weak']) for i in range(count)]
    truth = torch.stack([s.gt_sem_seg.data[0] for s in samples['labelled']])
    valid = inputs['valid']
    if boxes is not None:
        valid = pasted(valid, boxes)
    losses = {}
    for i, student in enumerate(model.students):
        logits = _resized(
            student._forward(inputs['labelled']), inputs['labelled']
        )
        losses[f'students.{i}.decode.loss_ce'] = F.cross_entropy(
            logits, truth, ignore_index=255
        )
        strong = inputs['strong'][i % len(inputs['strong'])]
        if boxes is not None:
            strong = pasted(strong, boxes)
        logits = _resized(student._forward(strong), strong)
        for j in range(count):
            ids = labels[j] if boxes is None else pasted(labels[j], boxes)
            cost = F.cross_entropy(
                logits, ids, ignore_index=255, reduction='none'
            )
            cost = (cost * valid).sum() / valid.sum()
            name = 'self' if j == i else f'peer{j}'
            weight = cfg.self_weight if j == i else cfg.peer_weight
            if weight:
                losses[f'students.{i}.loss_{name}'] = (
                    cfg.unsup_weight * weight * cost
                )
    return losses


def _assert_losses(actual, expected):
    actual = {k: v for k, v in actual.items() if 'loss' in k}
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, msg=name)


def _padded(inputs, samples):
    """The batch with a corner of every image as padding."""
    inputs['valid'][:, 4:] = False
    inputs['valid'][0, :, 5:] = False
    for sample in samples['labelled']:
        sample.gt_sem_seg.data[:, :, 6:] = 255
    return inputs, samples


BOXES = torch.tensor([[1, 2, 5, 7], [0, 0, 3, 4], [2, 0, 6, 8]])


@pytest.mark.parametrize('boxes', [None, BOXES], ids=['plain', 'mixed'])
@pytest.mark.parametrize('rectifier', [None, True], ids=['iml', 'rml'])
@pytest.mark.parametrize('learners', [1, 2, 3])
def test_losses_are_equations_1_5_and_6(learners, rectifier, boxes):
    model = toy_mutual(
        learners,
        rectifier=rectifier,
        segmentors=[toy_segmentor(stride=2) for _ in range(learners)],
        semi_train_cfg=dict(
            unsup_weight=2.0, self_weight=0.75, peer_weight=0.25
        ),
    )
    inputs, samples = _padded(*toy_batch(unlabelled=3, strong=learners))
    expected = _expected(model, inputs, samples, boxes=boxes)
    if boxes is not None:
        inputs['mix_boxes'] = boxes
    _assert_losses(model.loss(inputs, samples), expected)
    assert len(expected) == learners * (1 + learners)


@pytest.mark.parametrize(
    ('weights', 'names'),
    [
        (dict(self_weight=0.0), ('loss_peer',)),
        (dict(peer_weight=0.0), ('loss_self',)),
        (dict(self_weight=0.5), ('loss_self', 'loss_peer')),
    ],
)
def test_self_and_peer_weights(weights, names):
    model = toy_mutual(2, semi_train_cfg=weights)
    inputs, samples = toy_batch()
    losses = model.loss(inputs, samples)
    _assert_losses(losses, _expected(model, inputs, samples))
    for name in names:
        assert any(name in key for key in losses)


def test_direct_mutual_learning_takes_the_students_labels():
    model = toy_mutual(
        2,
        rectifier=None,
        semi_train_cfg=dict(peer_source='student', self_weight=0.0),
    )
    inputs, samples = toy_batch()
    labels = [_soft(s, inputs['weak']).argmax(1) for s in model.students]
    expected = _expected(model, inputs, samples, labels)
    _assert_losses(model.loss(inputs, samples), expected)
    assert 'students.0.loss_peer1' in expected
    assert 'students.0.loss_self' not in expected


def test_mean_teacher_is_one_learner():
    model = toy_mutual(1, rectifier=None)
    inputs, samples = toy_batch(strong=1)
    losses = model.loss(inputs, samples)
    assert [k for k in losses if 'loss' in k] == [
        'students.0.decode.loss_ce',
        'students.0.loss_self',
    ]


def test_confidence_threshold_counts_but_costs_nothing():
    model = toy_mutual(2, rectifier=None, semi_train_cfg=dict(confidence=0.8))
    inputs, samples = toy_batch()
    labels = []
    for teacher in model.teachers:
        teacher.decode_head.conv_seg.weight.mul_(0.2)
        probs = _soft(teacher, inputs['weak'])
        doubtful = probs.amax(1) < 0.8
        assert doubtful.any()
        assert not doubtful.all()
        labels.append(probs.argmax(1).masked_fill(doubtful, 255))
    expected = _expected(model, inputs, samples, labels)
    _assert_losses(model.loss(inputs, samples), expected)


def test_nothing_confident_costs_nothing():
    model = toy_mutual(
        1, rectifier=None, semi_train_cfg=dict(confidence=0.99999999)
    )
    for parameter in model.teachers.parameters():
        parameter.zero_()
    losses = model.loss(*toy_batch())
    assert float(losses['students.0.loss_self']) == 0.0


def test_ramp_up_scales_the_unlabelled_part_alone():
    model = toy_mutual(2, semi_train_cfg=dict(ramp_up_iters=8))
    inputs, samples = toy_batch()
    full = _expected(model, inputs, samples)
    for iteration in (0, 2, 7, 8, 100):
        rest = max(1 - iteration / 8, 0)
        share = math.exp(-5 * rest**2)
        model.iteration = iteration
        expected = {
            name: value if 'decode' in name else share * value
            for name, value in full.items()
        }
        _assert_losses(model.loss(inputs, samples), expected)


def test_student_i_reads_strong_view_i():
    for learners, strong in ((3, 3), (3, 2), (2, 3)):
        model = toy_mutual(learners, rectifier=None)
        read = []
        for student in model.students:
            student.backbone.register_forward_pre_hook(
                lambda module, args, read=read: read.append(args[0])
            )
        inputs, samples = toy_batch(strong=strong)
        model.loss(inputs, samples)
        assert len(read) == learners
        for i, images in enumerate(read):
            assert torch.equal(images[:2], inputs['labelled'])
            assert torch.equal(images[2:], inputs['strong'][i % strong])


def test_teachers_read_the_weak_view_alone():
    model = toy_mutual(2)
    read = []
    for teacher in model.teachers:
        teacher.backbone.register_forward_pre_hook(
            lambda module, args: read.append(args[0])
        )
    inputs, samples = toy_batch()
    inputs['mix_boxes'] = BOXES[:2]
    model.loss(inputs, samples)
    assert len(read) == 2
    assert all(torch.equal(images, inputs['weak']) for images in read)


@pytest.mark.parametrize('norm', [False, True], ids=['absent', 'frozen'])
def test_joint_and_separate_passes_agree(norm):
    results = []
    for joint in (True, False):
        model = toy_mutual(
            2,
            segmentors=[toy_segmentor(norm=norm) for _ in range(2)],
            semi_train_cfg=dict(joint_forward=joint),
        )
        if norm:
            for student in model.students:
                student.backbone.norm.eval()
        losses = model.loss(*toy_batch())
        total(losses).backward()
        gradients = [p.grad for p in model.students.parameters()]
        results.append((losses, gradients))
    (a, first), (b, second) = results
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name])
    torch.testing.assert_close(first, second)


def test_joint_pass_differs_where_batch_statistics_act():
    losses = []
    for joint in (True, False):
        model = toy_mutual(
            1,
            segmentors=toy_segmentor(norm=True),
            semi_train_cfg=dict(joint_forward=joint),
        )
        inputs, samples = toy_batch()
        inputs['strong'] = inputs['strong'] * 4
        losses.append(float(total(model.loss(inputs, samples))))
    assert abs(losses[0] - losses[1]) > 1e-4


class TestMixing:
    def test_class_masks_come_from_the_partner_s_labels(self):
        model = toy_mutual(2, rectifier=None)
        inputs, samples = toy_batch(unlabelled=3)
        draw = torch.Generator().manual_seed(0)
        order = torch.rand(3, 256, generator=draw)
        order[2] = torch.inf
        inputs['mix_classes'] = order
        model.record = {}
        model.loss(inputs, samples)
        for i, (view, targets, valid, _) in enumerate(model.record['mixed']):
            mine = _soft(model.teachers[i], inputs['weak']).argmax(1)
            for n in range(3):
                other = mine[n - 1]
                present = sorted(
                    other.unique().tolist(), key=lambda k, n=n: order[n, k]
                )
                chosen = present[: (len(present) + 1) // 2]
                mask = torch.isin(other, torch.tensor(chosen))
                if n == 2:
                    mask[:] = False
                strong = inputs['strong'][i]
                assert torch.equal(
                    view[n], torch.where(mask, strong[n - 1], strong[n])
                )
                assert torch.equal(
                    targets[0][1][n], torch.where(mask, other, mine[n])
                )
            assert valid.all()

    def test_blobs_move_image_labels_and_validity_alike(self):
        model = toy_mutual(2)
        inputs, samples = _padded(*toy_batch(unlabelled=3))
        labels = [_rectified(model, i, inputs['weak']) for i in range(2)]
        draw = torch.Generator().manual_seed(0)
        masks = torch.rand(3, 6, 8, generator=draw) < 0.5
        inputs['mix_masks'] = masks
        model.record = {}
        model.loss(inputs, samples)

        def mixed(tensor):
            return torch.stack(
                [
                    torch.where(masks[n], tensor[n - 1], tensor[n])
                    for n in range(3)
                ]
            )

        for i, (view, targets, valid, _) in enumerate(model.record['mixed']):
            assert torch.equal(view, mixed(inputs['strong'][i]))
            assert torch.equal(valid, mixed(inputs['valid']))
            assert torch.equal(targets[0][1], mixed(labels[i]))
            assert torch.equal(targets[1][1], mixed(labels[1 - i]))

    def test_inputs_are_left_alone(self):
        model = toy_mutual(2)
        inputs, samples = toy_batch()
        inputs['mix_boxes'] = BOXES[:2]
        before = {key: value.clone() for key, value in inputs.items()}
        model.loss(inputs, samples)
        for key, value in before.items():
            assert torch.equal(inputs[key], value)

    def test_one_image_cannot_be_mixed(self):
        model = toy_mutual(1)
        inputs, samples = toy_batch(unlabelled=1)
        model.loss(inputs, samples)
        inputs['mix_boxes'] = BOXES[:1]
        with pytest.raises(ValueError, match='batch_size or dataset.k'):
            model.loss(inputs, samples)


class TestPadding:
    @pytest.mark.parametrize('joint', [True, False])
    def test_its_content_costs_nothing_and_moves_nothing(self, joint):
        results = []
        for filling in (0.0, 1e3):
            model = toy_mutual(2, semi_train_cfg=dict(joint_forward=joint))
            inputs, samples = _padded(*toy_batch())
            inputs['mix_boxes'] = BOXES[:2]
            outside = ~inputs['valid'][:, None]
            for key in ('weak', 'strong'):
                inputs[key] = inputs[key].masked_fill(outside, filling)
            inputs['labelled'][..., 6:] = filling
            losses = model.loss(inputs, samples)
            total(losses).backward()
            for rectifier in model.rectifiers:
                rectifier.update()
            gradients = [p.grad for p in model.students.parameters()]
            prototypes = [r.prototypes for r in model.rectifiers]
            results.append((losses, gradients, prototypes))
        (a, grads_a, protos_a), (b, grads_b, protos_b) = results
        for name in a:
            assert torch.equal(a[name], b[name]), name
        for x, y in zip(grads_a + protos_a, grads_b + protos_b):
            assert torch.equal(x, y)

    def test_valid_pixels_do_cost(self):
        losses = []
        for value in (0.0, 9.0):
            model = toy_mutual(1)
            inputs, samples = _padded(*toy_batch())
            inputs['strong'][0, 1, :, 0, 0] = value
            losses.append(float(total(model.loss(inputs, samples))))
        assert losses[0] != losses[1]

    def test_an_image_of_padding_alone_costs_zero(self):
        model = toy_mutual(2)
        inputs, samples = toy_batch()
        inputs['valid'][:] = False
        losses = model.loss(inputs, samples)
        for i in range(2):
            assert float(losses[f'students.{i}.loss_self']) == 0.0
        total(losses).backward()
        assert all(
            p.grad.isfinite().all() for p in model.students.parameters()
        )


class TestUnlabelledMasks:
    @pytest.mark.parametrize('value', [0, 2, 255, 77])
    def test_masks_for_monitoring_reach_no_loss(self, value):
        results = []
        for masked in (False, True):
            model = toy_mutual(2)
            inputs, samples = toy_batch()
            inputs['mix_boxes'] = BOXES[:2]
            if masked:
                mask = torch.full((1, 6, 8), value)
                for sample in samples['unlabelled']:
                    sample.gt_sem_seg = PixelData(data=mask)
            losses = model.loss(inputs, samples)
            total(losses).backward()
            for rectifier in model.rectifiers:
                rectifier.update()
            grads = [p.grad for p in model.students.parameters()]
            grads += [r.prototypes for r in model.rectifiers]
            results.append((losses, grads))
        (a, grads_a), (b, grads_b) = results
        assert all(torch.equal(a[name], b[name]) for name in a)
        assert all(torch.equal(x, y) for x, y in zip(grads_a, grads_b))

    def test_samples_of_unlabelled_images_are_not_even_touched(self):
        class Untouchable:
            def __getattribute__(self, name):
                raise AssertionError(name)

        model = toy_mutual(2)
        inputs, samples = toy_batch()
        samples['unlabelled'] = [Untouchable(), Untouchable()]
        assert total(model.loss(inputs, samples)).isfinite()


def test_loss_in_a_run_without_the_ema_hook_is_an_error():
    model = toy_mutual(2)
    model.ema_attached = False
    with pytest.raises(RuntimeError, match='MutualEMAHook.*custom_hooks'):
        model.loss(*toy_batch())


def test_only_losses_are_named_so():
    losses = toy_mutual(2).loss(*toy_batch())
    others = [name for name in losses if 'loss' not in name]
    assert others == [f'students.{i}.decode.acc_seg' for i in range(2)]


def test_without_weight_no_unlabelled_image_is_read():
    model = toy_mutual(2, semi_train_cfg=dict(unsup_weight=0.0))
    seen = []
    for network in (*model.students, *model.teachers):
        network.backbone.register_forward_pre_hook(
            lambda module, args: seen.append(len(args[0]))
        )
    model.loss(*toy_batch(labelled=3, unlabelled=2))
    assert seen == [3, 3]


def test_unlabelled_part_without_weight_may_have_no_labels():
    model = toy_mutual(
        1,
        rectifier=None,
        semi_train_cfg=dict(
            unsup_weight=0.0, self_weight=0.0, peer_weight=0.0
        ),
    )
    inputs, samples = toy_batch()
    losses = model.loss(inputs, samples)
    assert float(total(losses)) == pytest.approx(
        float(losses['students.0.decode.loss_ce'])
    )


@pytest.mark.parametrize('rectifier', [None, True])
def test_of_several_outputs_the_first_is_learnt_and_taught(rectifier):
    """As in DANet and DDRNet, whose heads are tested by the first one."""

    class SeveralHead(FCNHead):
        def forward(self, inputs):
            logits = super().forward(inputs)
            return logits, -logits

        def loss_by_feat(self, seg_logits, batch_data_samples):
            return super().loss_by_feat(seg_logits[0], batch_data_samples)

    several = toy_segmentor()
    several['decode_head']['type'] = SeveralHead
    batch = toy_batch()
    cfg = dict(feature_dropout=0.5)
    expected, found = (
        toy_mutual(
            2, segmentors=kinds, rectifier=rectifier, semi_train_cfg=cfg
        )
        for kinds in ([toy_segmentor()] * 2, [several] * 2)
    )
    losses = []
    for model in (expected, found):
        torch.manual_seed(0)
        losses.append(model.loss(*batch))
    assert losses[0].keys() == losses[1].keys()
    for name, value in losses[0].items():
        torch.testing.assert_close(losses[1][name], value, msg=name)


def test_auxiliary_heads_learn_from_labelled_images():
    segmentor = toy_segmentor()
    segmentor['auxiliary_head'] = dict(segmentor['decode_head'])
    model = toy_mutual(1, segmentors=segmentor)
    losses = model.loss(*toy_batch())
    assert 'students.0.aux.loss_ce' in losses
    assert losses['students.0.aux.loss_ce'] > 0


def test_labelled_masks_are_read_as_they_are():
    model = toy_mutual(1, rectifier=None)
    inputs, samples = toy_batch()
    before = model.loss(inputs, samples)['students.0.decode.loss_ce']
    samples['labelled'] = [sample_of(torch.zeros(6, 8)) for _ in range(2)]
    after = model.loss(inputs, samples)['students.0.decode.loss_ce']
    assert before != after
