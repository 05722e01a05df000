"""Teachers: never trained, never noisy, copies at first."""

import copy

import pytest
import torch

from tests.toys import total, toy_batch, toy_mutual, toy_segmentor


def _noisy(**kwargs):
    """Dropout, batch statistics and stochastic depth in one network."""
    segmentor = toy_segmentor(norm=True, dropout=0.5)
    segmentor['decode_head']['dropout_ratio'] = 0.5
    segmentor['neck'] = dict(
        type='TransformerNeck',
        in_channels=4,
        embed_dims=4,
        num_layers=2,
        num_heads=1,
        grid_size=(6, 8),
        drop_path_rate=0.9,
    )
    return toy_mutual(2, segmentors=[segmentor, segmentor], **kwargs)


def _all_eval(model):
    return not any(m.training for m in model.teachers.modules())


def test_training_mode_reaches_students_alone():
    model = _noisy()
    for mode in (True, False, True):
        assert model.train(mode) is model
        assert _all_eval(model)
        assert all(m.training == mode for m in model.students.modules())
    model.eval()
    model.train()
    assert model.training


def test_teachers_stay_in_eval_mode_through_losses_and_copies():
    model = _noisy()
    for source in ('teacher', 'student'):
        model = _noisy(semi_train_cfg=dict(peer_source=source))
        total(model.loss(*toy_batch())).backward()
        assert _all_eval(model)
        assert all(m.training for m in model.students.modules())
    assert _all_eval(copy.deepcopy(model))
    model.load_state_dict(model.state_dict())
    model.update_teachers(0.5)
    assert _all_eval(model)


def test_teachers_get_no_gradients():
    model = _noisy()
    total(model.loss(*toy_batch())).backward()
    for parameter in model.teachers.parameters():
        assert parameter.grad is None
        assert not parameter.requires_grad
    grads = [p.grad for p in model.students.parameters()]
    assert all(grad is not None for grad in grads)
    assert any(grad.abs().sum() > 0 for grad in grads)


def test_no_noise_and_no_batch_statistics_act_in_teachers():
    model = _noisy()
    inputs, samples = toy_batch()
    before = {k: v.clone() for k, v in model.teachers.state_dict().items()}
    labels, costs = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        model.record = {}
        losses = model.loss(inputs, samples)
        sources = model.record['sources']
        labels.append([sources[f'teachers.{i}']['probs'] for i in range(2)])
        costs.append(float(losses['students.0.loss_self']))
    for other in labels[1:]:
        assert all(torch.equal(a, b) for a, b in zip(labels[0], other))
    # Students do have dropout and stochastic depth.
    assert len(set(costs)) == 3
    for key, value in model.teachers.state_dict().items():
        assert torch.equal(value, before[key]), key
    for student in model.students:
        assert int(student.backbone.norm.num_batches_tracked) == 3


def test_each_image_is_labelled_as_if_it_were_alone():
    model = _noisy()
    inputs, samples = toy_batch()
    model.record = {}
    model.loss(inputs, samples)
    together = model.record['sources']['teachers.0']['probs']
    for n in range(2):
        image = inputs['weak'][n : n + 1]
        alone = model.teachers[0]._forward(image).softmax(1)
        torch.testing.assert_close(together[n : n + 1], alone)


def test_initialisation_copies_students_to_teachers():
    model = toy_mutual(2)
    model.init_weights()
    for student, teacher in zip(model.students, model.teachers):
        state = student.state_dict()
        for key, value in teacher.state_dict().items():
            assert torch.equal(value, state[key])
    first, second = (s.backbone.first.weight for s in model.students)
    assert not torch.equal(first, second)


def test_teachers_share_no_memory_with_students():
    model = toy_mutual(2)
    model.init_weights()
    before = model.teachers[0].backbone.first.weight.clone()
    with torch.no_grad():
        model.students[0].backbone.first.weight.add_(1)
    assert torch.equal(model.teachers[0].backbone.first.weight, before)


def test_moving_average_by_hand():
    model = toy_mutual(2)
    before = [t.backbone.first.weight.clone() for t in model.teachers]
    model.update_teachers(0.75)
    for student, teacher, old in zip(model.students, model.teachers, before):
        torch.testing.assert_close(
            teacher.backbone.first.weight,
            0.75 * old + 0.25 * student.backbone.first.weight,
        )


@pytest.mark.parametrize(('buffers', 'share'), [('copy', 1), ('average', 0.1)])
def test_running_statistics_follow_their_policy(buffers, share):
    model = toy_mutual(1, segmentors=toy_segmentor(norm=True))
    model.students[0].backbone.norm.running_mean.fill_(5.0)
    model.update_teachers(0.9, buffers)
    moved = model.teachers[0].backbone.norm.running_mean
    torch.testing.assert_close(moved, torch.full((4,), 5.0 * share))


def test_weights_of_students_are_not_loaded_a_second_time(tmp_path):
    path = tmp_path / 'backbone.pth'
    state = toy_mutual(1).students[0].backbone.state_dict()
    torch.save(state, path)
    segmentor = toy_segmentor(
        init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    model = toy_mutual(1, seed=3, segmentors=segmentor)
    assert model.teachers[0].backbone.init_cfg is None
    path.rename(tmp_path / 'seen.pth')
    (tmp_path / 'seen.pth').rename(path)
    model.init_weights()
    for network in (model.students[0], model.teachers[0]):
        assert torch.equal(
            network.backbone.first.weight, state['first.weight']
        )


def test_one_optimiser_could_hold_students_alone():
    model = toy_mutual(2)
    trained = {
        name.split('.')[0]
        for name, p in model.named_parameters()
        if p.requires_grad
    }
    assert trained == {'students'}


def test_state_has_the_public_keys():
    groups = {
        '.'.join(key.split('.')[:2]) for key in toy_mutual(2).state_dict()
    }
    assert groups == {
        f'{part}.{i}'
        for part in ('students', 'teachers', 'rectifiers')
        for i in range(2)
    }
