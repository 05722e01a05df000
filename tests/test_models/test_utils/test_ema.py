import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rml_mmseg.models.utils import ema_update


def _linear(weight: float, bias: float) -> nn.Linear:
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, weight)
    nn.init.constant_(layer.bias, bias)
    return layer


def _batch_norm(mean: float, var: float, tracked: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(2)
    norm.running_mean.fill_(mean)
    norm.running_var.fill_(var)
    norm.num_batches_tracked.fill_(tracked)
    return norm


def _random_network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for value in (*net.parameters(), *net.buffers()):
        if value.is_floating_point():
            nn.init.normal_(value)
    return net


def test_parameters_by_hand():
    teacher, student = _linear(2.0, -4.0), _linear(6.0, 4.0)
    ema_update(teacher, student, 0.75)
    # 0.75 * 2 + 0.25 * 6 and 0.75 * -4 + 0.25 * 4
    assert teacher.weight.item() == 3.0
    assert teacher.bias.item() == -2.0
    assert student.weight.item() == 6.0
    assert student.bias.item() == 4.0


def test_float_buffers_are_copied_by_default():
    teacher, student = _batch_norm(1.0, 2.0, 3), _batch_norm(5.0, 10.0, 9)
    ema_update(teacher, student, 0.75)
    assert teacher.running_mean.tolist() == [5.0, 5.0]
    assert teacher.running_var.tolist() == [10.0, 10.0]
    assert teacher.num_batches_tracked.item() == 9


def test_float_buffers_can_be_averaged():
    teacher, student = _batch_norm(1.0, 2.0, 3), _batch_norm(5.0, 10.0, 9)
    ema_update(teacher, student, 0.75, buffers='average')
    assert teacher.running_mean.tolist() == [2.0, 2.0]
    assert teacher.running_var.tolist() == [4.0, 4.0]
    # An average of counts has no meaning, so integers are always copied.
    assert teacher.num_batches_tracked.item() == 9
    assert teacher.num_batches_tracked.dtype == torch.long


@pytest.mark.parametrize(
    ('buffers', 'expected'), [('copy', 8.0), ('average', 2.0)]
)
def test_buffers_kept_out_of_the_state_dict_move_too(buffers, expected):
    teacher, student = nn.Module(), nn.Module()
    for module, value in ((teacher, 0.0), (student, 8.0)):
        module.register_buffer('x', torch.tensor(value), persistent=False)
    ema_update(teacher, student, 0.75, buffers=buffers)
    assert teacher.x.item() == expected


def test_copied_buffers_share_no_memory():
    teacher, student = _batch_norm(1.0, 2.0, 3), _batch_norm(5.0, 10.0, 9)
    ema_update(teacher, student, 0.75, buffers='copy')
    student.running_mean.fill_(-7.0)
    student.num_batches_tracked.fill_(100)
    assert teacher.running_mean.tolist() == [5.0, 5.0]
    assert teacher.num_batches_tracked.item() == 9


@pytest.mark.parametrize('buffers', ['mean', '', None])
def test_unknown_buffer_policy_is_an_error(buffers):
    teacher, student = _linear(2.0, 0.0), _linear(6.0, 0.0)
    with pytest.raises(ValueError, match='buffers'):
        ema_update(teacher, student, 0.5, buffers=buffers)
    assert teacher.weight.item() == 2.0


def test_shared_parameters_move_once():
    def tied(value: float) -> nn.Sequential:
        layer = _linear(value, 0.0)
        return nn.Sequential(layer, layer)

    teacher, student = tied(0.0), tied(1.0)
    ema_update(teacher, student, 0.5)
    assert teacher[0].weight.item() == 0.5
    assert teacher[0] is teacher[1]


def test_teacher_stays_in_place_and_outside_autograd():
    teacher, student = _linear(2.0, 0.0), _linear(6.0, 0.0)
    teacher.requires_grad_(False)
    before = list(teacher.parameters())
    student(torch.ones(1, 1)).sum().backward()
    ema_update(teacher, student, 0.5)
    after = list(teacher.parameters())
    assert all(a is b for a, b in zip(before, after))
    assert all(p.grad_fn is None and not p.requires_grad for p in after)
    assert all(p.grad is None for p in after)
    assert student.weight.grad.item() == 1.0
    assert student.weight.requires_grad


@pytest.mark.parametrize('training', [True, False])
def test_mode_of_the_teacher_is_untouched(training):
    teacher, student = _batch_norm(1.0, 2.0, 3), _batch_norm(5.0, 10.0, 9)
    teacher.train(training)
    student.train(not training)
    ema_update(teacher, student, 0.5)
    assert teacher.training is training
    assert student.training is not training


@given(seed=st.integers(0, 999), buffers=st.sampled_from(['copy', 'average']))
@settings(deadline=None, max_examples=25)
def test_momentum_zero_gives_the_student(seed, buffers):
    teacher, student = _random_network(seed), _random_network(seed + 1000)
    ema_update(teacher, student, 0.0, buffers=buffers)
    wanted = student.state_dict()
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, wanted[name]), name


def test_momentum_zero_leaves_nothing_of_a_teacher_that_is_not_finite():
    teacher, student = _linear(float('nan'), float('inf')), _linear(6.0, 4.0)
    ema_update(teacher, student, 0.0)
    assert (teacher.weight.item(), teacher.bias.item()) == (6.0, 4.0)


@given(seed=st.integers(0, 999))
@settings(deadline=None, max_examples=25)
def test_momentum_one_leaves_the_teacher(seed):
    teacher, student = _random_network(seed), _random_network(seed + 1000)
    wanted = copy.deepcopy(teacher.state_dict())
    ema_update(teacher, student, 1.0, buffers='average')
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, wanted[name]), name


@given(
    seed=st.integers(0, 999),
    momentum=st.floats(0.0, 1.0),
    steps=st.integers(1, 12),
)
@settings(deadline=None, max_examples=40)
def test_closed_form_for_a_student_at_rest(seed, momentum, steps):
    teacher, student = _random_network(seed), _random_network(seed + 1000)
    start = copy.deepcopy(teacher.state_dict())
    for _ in range(steps):
        ema_update(teacher, student, momentum, buffers='average')
    kept = momentum**steps
    target = student.state_dict()
    for name, value in teacher.state_dict().items():
        if value.is_floating_point():
            wanted = kept * start[name] + (1 - kept) * target[name]
            torch.testing.assert_close(value, wanted, atol=1e-5, rtol=1e-5)


@given(
    momentum=st.floats(0.0, 1.0),
    students=st.lists(st.floats(-10, 10), min_size=1, max_size=12),
)
@settings(deadline=None, max_examples=40)
def test_closed_form_for_a_moving_student(momentum, students):
    teacher = _linear(1.0, 0.0)
    for value in students:
        ema_update(teacher, _linear(value, 0.0), momentum)
    n = len(students)
    wanted = momentum**n + sum(
        (1 - momentum) * momentum ** (n - 1 - i) * value
        for i, value in enumerate(students)
    )
    assert teacher.weight.item() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_networks_of_half_precision_by_hand(dtype):
    teacher, student = _linear(2.0, 0.0).to(dtype), _linear(6.0, 4.0).to(dtype)
    ema_update(teacher, student, 0.75)
    assert (teacher.weight.item(), teacher.bias.item()) == (3.0, 1.0)
    assert teacher.weight.dtype == dtype


def test_a_torch_without_lerp_of_lists(monkeypatch):
    monkeypatch.delattr(torch, '_foreach_lerp_', raising=False)
    teacher, student = _linear(2.0, 0.0), _linear(6.0, 4.0)
    ema_update(teacher, student, 0.75)
    assert (teacher.weight.item(), teacher.bias.item()) == (3.0, 1.0)
