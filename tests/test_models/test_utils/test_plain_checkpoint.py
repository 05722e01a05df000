import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from mmseg.registry import MODELS
from torch import nn

from rml_mmseg.models.utils.plain_checkpoint import (
    fan_out,
    is_filled,
    mismatches,
)
from tests.toys import toy_mutual, toy_segmentor


def _plain(seed=5, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(toy_segmentor(**kwargs))


def _equal(network, state, prefix=''):
    own = network.state_dict()
    keys = [key for key in own if key.startswith(prefix)]
    return all(torch.equal(own[key], state[key]) for key in keys)


def _two_kinds():
    return toy_mutual(
        segmentors=[toy_segmentor(), toy_segmentor(channels=8)],
        rectifier=None,
    )


def test_checkpoint_that_fits_both_reaches_all_four():
    model, plain = toy_mutual(), _plain().state_dict()
    model.load_state_dict(plain, strict=False)
    for network in (*model.students, *model.teachers):
        assert _equal(network, plain)
    assert model.teachers_loaded


@pytest.mark.parametrize(('channels', 'fits'), [(4, 0), (8, 1)])
def test_checkpoint_that_fits_one_leaves_the_other(channels, fits):
    model = _two_kinds()
    other = 1 - fits
    before = {
        name: {k: v.clone() for k, v in part[other].state_dict().items()}
        for name, part in (('s', model.students), ('t', model.teachers))
    }
    plain = _plain(channels=channels).state_dict()
    model.load_state_dict(plain, strict=False)
    assert _equal(model.students[fits], plain)
    assert _equal(model.teachers[fits], plain)
    assert _equal(model.students[other], before['s'])
    assert _equal(model.teachers[other], before['t'])


def test_checkpoint_that_fits_none_is_an_error():
    plain = _plain(channels=6).state_dict()
    with pytest.raises(ValueError, match='fits no learner.*segmentors.1.'):
        _two_kinds().load_state_dict(plain, strict=False)


def test_learners_of_other_networks_are_an_error():
    pair = _two_kinds().state_dict()
    _two_kinds().load_state_dict(pair)
    other = toy_mutual(
        segmentors=[toy_segmentor(channels=6), toy_segmentor(channels=7)]
    )
    with pytest.raises(ValueError, match='fits no learner.*students.1: 4 ten'):
        other.load_state_dict(pair, strict=False)
    # The first learner has the same network, the second another one, whose
    # tensors mmengine's loader leaves out.
    mixed = toy_mutual(
        segmentors=[toy_segmentor(channels=4), toy_segmentor(channels=6)]
    )
    load_state_dict(mixed, pair)
    assert torch.equal(
        mixed.students[0].backbone.state_dict()['first.weight'],
        pair['students.0.backbone.first.weight'],
    )


def test_checkpoint_of_something_else_is_an_error():
    with pytest.raises(ValueError, match=r"'backbone\.first\.weight'"):
        toy_mutual().load_state_dict({'x': torch.zeros(2)}, strict=False)


def test_head_of_other_classes_stays_as_initialised():
    model, plain = toy_mutual(), _plain(num_classes=7).state_dict()
    before = [
        student.decode_head.conv_seg.weight.clone()
        for student in model.students
    ]
    model.load_state_dict(plain, strict=False)
    for student, weight in zip(model.students, before):
        assert _equal(student, plain, 'backbone.')
        assert torch.equal(student.decode_head.conv_seg.weight, weight)


def test_backbone_alone_is_enough():
    plain = {
        key: value
        for key, value in _plain().state_dict().items()
        if key.startswith('backbone.')
    }
    model = toy_mutual()
    model.load_state_dict(plain, strict=False)
    assert _equal(model.teachers[1], plain, 'backbone.')


def test_state_of_the_wrapper_is_left_alone():
    model, source = toy_mutual(seed=0), toy_mutual(seed=1)
    state = source.state_dict()
    keys = list(state)
    fan_out(state, '', list(model.students))
    assert list(state) == keys
    model.load_state_dict(state)
    assert all(
        torch.equal(value, state[key])
        for key, value in model.state_dict().items()
    )
    assert model.teachers_loaded


@pytest.mark.parametrize('group', ['students', 'teachers', 'rectifiers'])
def test_a_part_of_the_wrapper_s_state_counts_as_its_own(group, monkeypatch):
    told = []
    monkeypatch.setattr(
        'rml_mmseg.models.utils.plain_checkpoint.print_log',
        lambda message, **more: told.append(message),
    )
    model = toy_mutual()
    state = {
        key: value
        for key, value in toy_mutual(seed=1).state_dict().items()
        if key.startswith(group)
    }
    model.load_state_dict(state, strict=False)
    assert bool(model.teachers_loaded) == (group == 'teachers')
    absent = [message for message in told if 'all of students' in message]
    assert bool(absent) == (group == 'rectifiers')


def test_fresh_model_has_no_loaded_teachers():
    assert not toy_mutual().teachers_loaded


def test_keys_of_a_wrapped_model_are_found_behind_their_prefix():
    students = list(toy_mutual().students)
    plain = _plain().state_dict()
    state = {f'module.{key}': value for key, value in plain.items()}
    state['elsewhere'] = torch.zeros(1)
    fan_out(state, 'module.', students)
    assert 'elsewhere' in state
    assert 'module.backbone.first.weight' not in state
    assert torch.equal(
        state['module.teachers.1.backbone.first.weight'],
        plain['backbone.first.weight'],
    )


class Quantised(nn.Linear):
    """A layer with a state that is not a tensor."""

    def get_extra_state(self):
        return dict(scale=2)

    def set_extra_state(self, state):
        """Ignore the state."""


def test_teachers_with_an_extra_state_are_whole():
    teachers = nn.ModuleList([Quantised(2, 2), Quantised(2, 2)])
    state = teachers.state_dict(prefix='teachers.')
    del state['teachers.1.bias']
    assert is_filled(state, 'teachers.0.', teachers[0])
    assert not is_filled(state, 'teachers.1.', teachers[1])


def test_mismatches_by_part():
    network = _plain()
    state = network.state_dict()
    assert mismatches(state, network) == ([], [])
    state['backbone.first.weight'] = torch.zeros(1)
    del state['decode_head.conv_seg.bias']
    assert mismatches(state, network) == (
        ['backbone.first.weight'],
        ['decode_head.conv_seg.bias'],
    )
