"""Settings that other methods than RML are made of, by exact values."""

import pytest
import torch
import torch.nn.functional as F

from rml_mmseg.models.utils.feature_dropout import divide_channels
from tests.toys import pasted, toy_batch, toy_mutual, toy_segmentor

BOXES = torch.tensor(
    [[[1, 2, 5, 7], [0, 0, 3, 4]], [[2, 0, 6, 8], [0, 4, 6, 8]]]
)


def soft(network, images):
    with torch.no_grad():
        logits = network._forward(images)
    return F.interpolate(
        logits, images.shape[-2:], mode='bilinear', align_corners=False
    ).softmax(1)


def cost_of(student, images, labels):
    """Cross entropy where pixels of 255 cost nothing but count in the mean."""
    logits = student._forward(images)
    cost = F.cross_entropy(logits, labels, ignore_index=255, reduction='none')
    return cost.mean()


def test_own_labels_of_the_student_itself():
    model = toy_mutual(
        2, rectifier=None, semi_train_cfg=dict(self_source='student')
    )
    inputs, samples = toy_batch()
    model.record = {}
    losses = model.loss(inputs, samples)
    for i, student in enumerate(model.students):
        own = soft(student, inputs['weak']).argmax(1)
        peer = soft(model.teachers[1 - i], inputs['weak']).argmax(1)
        assert not torch.equal(own, peer)
        for name, labels in (('self', own), (f'peer{1 - i}', peer)):
            torch.testing.assert_close(
                losses[f'students.{i}.loss_{name}'],
                cost_of(student, inputs['strong'][i], labels),
            )
    assert student.training


def test_a_lone_student_needs_no_teacher(monkeypatch):
    model = toy_mutual(
        1, rectifier=None, semi_train_cfg=dict(self_source='student')
    )

    def forbidden(*args):
        raise AssertionError('the teacher has no label to make')

    monkeypatch.setattr(model.teachers[0], '_forward', forbidden)
    inputs, samples = toy_batch()
    labels = soft(model.students[0], inputs['weak']).argmax(1)
    torch.testing.assert_close(
        model.loss(inputs, samples)['students.0.loss_self'],
        cost_of(model.students[0], inputs['strong'][0], labels),
    )


def test_labels_weigh_as_much_as_there_are_sure_ones():
    cfg = dict(confidence_share=0.9999, unsup_weight=2.0, peer_weight=0.5)
    inputs, samples = toy_batch()
    inputs['valid'][:, 3:] = False
    plain = toy_mutual(2, semi_train_cfg=dict(cfg, confidence_share=None))
    expected = plain.loss(inputs, samples)
    model = toy_mutual(2, semi_train_cfg=cfg)
    losses = model.loss(inputs, samples)
    for i in range(2):
        for j in range(2):
            probs = soft(model.teachers[j], inputs['weak'])
            share = (probs.amax(1)[:, :3] >= 0.9999).float().mean()
            assert 0 < share < 1
            name = f'students.{i}.loss_{"self" if i == j else f"peer{j}"}'
            torch.testing.assert_close(losses[name], expected[name] * share)


@pytest.mark.parametrize('learners', [1, 2])
def test_strong_views_have_masks_of_their_own(learners):
    model = toy_mutual(
        learners,
        rectifier=None,
        semi_train_cfg=dict(strong_views=2, peer_weight=0.0),
    )
    inputs, samples = toy_batch(strong=4)
    inputs['mix_boxes'] = BOXES
    losses = model.loss(inputs, samples)
    for i, student in enumerate(model.students):
        labels = soft(model.teachers[i], inputs['weak']).argmax(1)
        costs = [
            cost_of(
                student,
                pasted(inputs['strong'][2 * i + v], BOXES[:, v]),
                pasted(labels, BOXES[:, v]),
            )
            for v in range(2)
        ]
        torch.testing.assert_close(
            losses[f'students.{i}.loss_self'], (costs[0] + costs[1]) / 2
        )


@pytest.mark.parametrize('burning_in', [False, True])
def test_two_views_of_one_are_refused(burning_in):
    model = toy_mutual(1, semi_train_cfg=dict(strong_views=3))
    # Before anything was learnt.
    model.burning_in = burning_in
    with pytest.raises(
        ValueError, match='strong_views=3.*makes 2 .*num_strong'
    ):
        model.loss(*toy_batch(strong=2))


def test_perturbed_features_learn_the_labels_of_the_weak_view():
    model = toy_mutual(
        1,
        rectifier=None,
        semi_train_cfg=dict(
            unsup_weight=0.5,
            feature_dropout=0.5,
            feature_weight=3.0,
            confidence=0.5,
        ),
    )
    inputs, samples = toy_batch()
    inputs['mix_boxes'] = BOXES[:, 0]
    torch.manual_seed(3)
    losses = model.loss(inputs, samples)
    student = model.students[0]
    torch.manual_seed(3)
    (features,) = student.extract_feat(inputs['weak'])
    logits = student.decode_head([F.dropout2d(features, 0.5)])
    probs = soft(model.teachers[0], inputs['weak'])
    labels = probs.argmax(1).masked_fill(probs.amax(1) < 0.5, 255)
    assert (labels == 255).any()
    cost = F.cross_entropy(
        logits, labels, ignore_index=255, reduction='none'
    ).mean()
    found = losses['students.0.loss_feature_self']
    torch.testing.assert_close(found, 0.5 * 3 * cost)


@pytest.mark.parametrize('joint', [True, False])
def test_each_strong_view_learns_without_the_channels_of_the_other(joint):
    model = toy_mutual(
        1,
        rectifier=None,
        semi_train_cfg=dict(
            strong_views=2, complementary_dropout=1.0, joint_forward=joint
        ),
    )
    inputs, samples = toy_batch(strong=2)
    torch.manual_seed(3)
    losses = model.loss(inputs, samples)
    student = model.students[0]
    views = torch.cat([inputs['strong'][0], inputs['strong'][1]])
    (features,) = student.extract_feat(views)
    torch.manual_seed(3)
    divided = divide_channels(features, 1.0)
    assert not torch.equal(divided, features)
    labels = soft(model.teachers[0], inputs['weak']).argmax(1)
    cost = F.cross_entropy(
        student.decode_head([divided]), torch.cat([labels, labels])
    )
    torch.testing.assert_close(losses['students.0.loss_self'], cost)
    # The labelled images keep all channels.
    supervised = student.loss(inputs['labelled'], samples['labelled'])
    torch.testing.assert_close(
        losses['students.0.decode.loss_ce'], supervised['decode.loss_ce']
    )


def test_soft_labels_are_mixed_and_learnt():
    model = toy_mutual(
        2,
        rectifier=None,
        semi_train_cfg=dict(loss=dict(type='ConsistencyLoss')),
    )
    inputs, samples = toy_batch()
    inputs['mix_boxes'] = BOXES[:, 0]
    model.record = {}
    losses = model.loss(inputs, samples)
    for i, student in enumerate(model.students):
        view = pasted(inputs['strong'][i], BOXES[:, 0])
        probs = student._forward(view).softmax(1)
        for j in range(2):
            target = pasted(
                soft(model.teachers[j], inputs['weak']), BOXES[:, 0]
            )
            name = 'self' if i == j else f'peer{j}'
            torch.testing.assert_close(
                losses[f'students.{i}.loss_{name}'],
                (probs - target).square().sum(1).mean(),
            )
        # The record shows the most probable classes of soft labels.
        _, targets, _, _ = model.record['mixed'][i]
        own = pasted(soft(model.teachers[i], inputs['weak']), BOXES[:, 0])
        assert torch.equal(targets[0][1], own.argmax(1))


def test_class_masks_of_soft_labels_are_those_of_their_classes():
    found = []
    for kind in ('PseudoLabelLoss', 'ConsistencyLoss'):
        model = toy_mutual(
            1, rectifier=None, semi_train_cfg=dict(loss=dict(type=kind))
        )
        inputs, samples = toy_batch()
        inputs['mix_classes'] = torch.rand(
            2, 256, generator=torch.Generator().manual_seed(0)
        )
        model.record = {}
        model.loss(inputs, samples)
        found.append(model.record['mixed'][0])
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1][0][1], found[1][1][0][1])


@pytest.mark.parametrize(
    ('rectifier', 'confidence'), [(True, None), (None, 0.5)]
)
def test_soft_labels_have_no_rectifier_and_no_threshold(rectifier, confidence):
    cfg = dict(loss=dict(type='ConsistencyLoss'), confidence=confidence)
    with pytest.raises(ValueError, match='semi_train_cfg.loss.*rectifier'):
        toy_mutual(1, rectifier=rectifier, semi_train_cfg=cfg)


def test_gradients_reach_the_encoder_from_every_stream():
    model = toy_mutual(
        segmentors=[toy_segmentor(kernel_size=3, norm=True)],
        rectifier=None,
        semi_train_cfg=dict(
            self_source='student', strong_views=2, feature_dropout=0.5
        ),
    )
    losses = model.loss(*toy_batch())
    for name in ('loss_self', 'loss_feature_self'):
        model.zero_grad()
        losses[f'students.0.{name}'].backward(retain_graph=True)
        grad = model.students[0].backbone.first.weight.grad
        assert grad.isfinite().all() and grad.any()


def test_perturbed_features_of_every_student_and_no_padding():
    model = toy_mutual(
        2,
        rectifier=None,
        # A share so small drops no channel.
        semi_train_cfg=dict(peer_weight=0.25, feature_dropout=1e-9),
    )
    inputs, samples = toy_batch()
    inputs['valid'][:, 4:] = False
    losses = model.loss(inputs, samples)
    for i, student in enumerate(model.students):
        for j, teacher in enumerate(model.teachers):
            labels = soft(teacher, inputs['weak']).argmax(1)
            # Pixels do not see each other, so the others may be left out.
            cost = cost_of(student, inputs['weak'][:, :, :4], labels[:, :4])
            name, weight = ('self', 1.0) if i == j else (f'peer{j}', 0.25)
            torch.testing.assert_close(
                losses[f'students.{i}.loss_feature_{name}'], weight * cost
            )


@pytest.mark.parametrize('feature_dropout', [0.0, 0.5])
def test_unlabelled_images_may_leave_statistics_alone(feature_dropout):
    cfg = dict(unlabelled_statistics=False, feature_dropout=feature_dropout)
    inputs, samples = toy_batch()
    model, other = (
        toy_mutual(
            rectifier=None,
            segmentors=[toy_segmentor(norm=True)],
            semi_train_cfg=cfg,
        )
        for _ in range(2)
    )
    model.loss(inputs, samples)
    other.students[0].loss(inputs['labelled'], samples['labelled'])
    norms = [each.students[0].backbone.norm for each in (model, other)]
    assert norms[0].running_mean.any()
    assert torch.equal(norms[0].running_mean, norms[1].running_mean)
    assert torch.equal(norms[0].running_var, norms[1].running_var)
