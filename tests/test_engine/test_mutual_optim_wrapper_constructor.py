import copy

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from rml_mmseg.engine import BFloat16OptimWrapper, MutualOptimWrapper
from rml_mmseg.engine.optimizers import mutual_optim_wrapper_constructor
from tests.toys import toy_mutual, toy_segmentor

CONSTRUCTOR = dict(constructor='MutualOptimWrapperConstructor')
SGD = dict(type='SGD', lr=0.1, momentum=0.9)


def _model(**backbone):
    segmentor = toy_segmentor(**backbone)
    return toy_mutual(segmentors=[segmentor, segmentor])


def _build(model, **cfg):
    return build_optim_wrapper(model, dict(CONSTRUCTOR, **cfg))


def test_one_rule_for_all():
    model = _model()
    wrapper = _build(model, optimizer=SGD)
    assert isinstance(wrapper, MutualOptimWrapper)
    assert list(wrapper.keys()) == ['students.0', 'students.1']
    for i, part in enumerate(wrapper.values()):
        assert isinstance(part.optimizer, torch.optim.SGD)
        held = {id(p) for g in part.param_groups for p in g['params']}
        assert held == {id(p) for p in model.students[i].parameters()}
    assert wrapper.on_nonfinite == 'stop'


def test_parameters_that_no_student_has():
    model = _model()
    model.projector = nn.Conv2d(4, 2, 1)
    with pytest.raises(ValueError, match=r"\['projector.weight', 'proj.*head"):
        _build(model, optimizer=SGD)
    model.projector.requires_grad_(False)
    _build(model, optimizer=SGD)


def test_each_by_its_own_rule():
    wrapper = _build(
        _model(),
        accumulative_counts=2,
        on_nonfinite='skip',
        students=[
            dict(optimizer=SGD),
            dict(
                optimizer=dict(type='AdamW', lr=0.01),
                clip_grad=dict(max_norm=1.0),
            ),
        ],
    )
    first, second = wrapper.values()
    assert isinstance(first.optimizer, torch.optim.SGD)
    assert isinstance(second.optimizer, torch.optim.AdamW)
    assert first.clip_grad_kwargs is None
    assert second.clip_grad_kwargs == dict(max_norm=1.0)
    assert first._accumulative_counts == second._accumulative_counts == 2
    assert wrapper.on_nonfinite == 'skip'


def test_setting_that_no_student_reads_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(
        mutual_optim_wrapper_constructor,
        'print_log',
        lambda text, **kwargs: told.append(text),
    )
    own = [dict(optimizer=SGD), dict(optimizer=SGD)]
    # The second student uses it, so there is no warning.
    _build(_model(), optimizer=dict(SGD, lr=0.5), students=[own[0], {}])
    assert told == []
    wrapper = _build(_model(), optimizer=dict(SGD, lr=0.5), students=own)
    assert wrapper['students.1'].optimizer.defaults['lr'] == 0.1
    (text,) = told
    assert text.startswith('optim_wrapper.optimizer has no effect, as every')


def test_own_settings_come_before_the_common_ones():
    wrapper = _build(
        _model(),
        optimizer=SGD,
        students=[{}, dict(optimizer=dict(type='SGD', lr=0.5))],
    )
    rates = wrapper.get_lr()
    assert set(rates['students.0.lr']) == {0.1}
    assert set(rates['students.1.lr']) == {0.5}


def test_parameter_rules_of_all_and_of_one():
    optimizer = dict(SGD, weight_decay=0.1)
    no_decay = dict(norm_decay_mult=0.0)
    backbone = dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
    model = _model(norm=True)
    wrapper = _build(
        model,
        optimizer=optimizer,
        paramwise_cfg=no_decay,
        students=[{}, dict(paramwise_cfg=backbone)],
    )
    first, second = wrapper.values()
    norm = {id(p) for p in model.students[0].backbone.norm.parameters()}
    for group in first.param_groups:
        ids = {id(p) for p in group['params']}
        assert group['weight_decay'] == (0.0 if ids <= norm else 0.1)
        assert group['lr'] == 0.1
    stem = {id(p) for p in model.students[1].backbone.parameters()}
    for group in second.param_groups:
        ids = {id(p) for p in group['params']}
        assert group['weight_decay'] == 0.1
        assert group['lr'] == pytest.approx(0.01 if ids <= stem else 0.1)


def test_parameter_rules_by_the_whole_name():
    model = _model()
    keys = {
        'backbone': dict(lr_mult=0.5),
        'students.1.backbone': dict(lr_mult=0.1),
        'students.0': dict(lr_mult=2.0),
    }
    wrapper = _build(
        model, optimizer=SGD, paramwise_cfg=dict(custom_keys=keys)
    )
    expected = [(0.05, 0.2), (0.01, 0.1)]
    for student, part, (stem, rest) in zip(
        model.students, wrapper.values(), expected
    ):
        stems = {id(p) for p in student.backbone.parameters()}
        for group in part.optimizer.param_groups:
            inside = {id(p) for p in group['params']} <= stems
            assert group['lr'] == pytest.approx(stem if inside else rest)


def test_parameter_rules_of_no_student():
    keys = {'students.2.backbone': dict(lr_mult=0.1)}
    with pytest.raises(ValueError, match=r"'students.2.backbone'.* 2 stud"):
        _build(_model(), optimizer=SGD, paramwise_cfg=dict(custom_keys=keys))


def test_config_is_left_alone():
    cfg = dict(
        CONSTRUCTOR, optimizer=SGD, students=[dict(), dict(optimizer=SGD)]
    )
    before = copy.deepcopy(cfg)
    build_optim_wrapper(_model(), cfg)
    assert cfg == before


@pytest.mark.parametrize('entries', [1, 3])
def test_number_of_entries_must_fit(entries):
    with pytest.raises(ValueError, match=f'{entries} entries for 2'):
        _build(_model(), students=[dict(optimizer=SGD)] * entries)


def test_student_without_optimiser_is_an_error():
    with pytest.raises(ValueError, match=r'no `optimizer`.*students\[1\]'):
        _build(_model(), students=[dict(optimizer=SGD), dict()])


@pytest.mark.parametrize(
    ('common', 'own'),
    [
        ('BFloat16OptimWrapper', None),
        ('BFloat16OptimWrapper', 'BFloat16OptimWrapper'),
        ('BFloat16OptimWrapper', BFloat16OptimWrapper),
        (BFloat16OptimWrapper, 'BFloat16OptimWrapper'),
        (None, 'BFloat16OptimWrapper'),
    ],
)
def test_type_of_all_or_of_the_entries(common, own):
    cfg = {} if common is None else dict(type=common)
    entry = dict(optimizer=SGD)
    if own is not None:
        entry['type'] = own
    for part in _build(_model(), students=[entry] * 2, **cfg).values():
        assert type(part) is BFloat16OptimWrapper


@pytest.mark.parametrize('own', ['OptimWrapper', OptimWrapper])
def test_type_of_an_entry_against_that_of_all(own):
    entries = [dict(optimizer=SGD), dict(type=own, optimizer=SGD)]
    with pytest.raises(
        ValueError,
        match=r"wrapper.type='BFloat16OptimWrapper'.*"
        r'students\[1\].type=.*OptimWrapper.*: remove type from',
    ):
        _build(_model(), type='BFloat16OptimWrapper', students=entries)


def test_plain_model_is_an_error():
    with pytest.raises(ValueError, match='MutualSemiSegmentor, got Linear'):
        _build(nn.Linear(2, 2), optimizer=SGD)


class TestGroups:
    """Parameters under one rule share a parameter group."""

    RULES = dict(
        norm_decay_mult=0.0, custom_keys=dict(decode_head=dict(lr_mult=10))
    )

    def test_one_for_each_rule(self):
        optimizer = dict(SGD, weight_decay=0.1)
        model = _model(norm=True)
        wrapper = _build(model, optimizer=optimizer, paramwise_cfg=self.RULES)
        for student, part in zip(model.students, wrapper.values()):
            found = {
                (group['lr'], group['weight_decay']): group['params']
                for group in part.optimizer.param_groups
            }
            assert len(found) == len(part.optimizer.param_groups) == 3
            ids = {rule: {*map(id, held)} for rule, held in found.items()}
            head = student.decode_head.parameters()
            norm = student.backbone.norm.parameters()
            assert ids[1.0, 0.1] == {id(p) for p in head}
            assert ids[0.1, 0.0] == {id(p) for p in norm}
            assert sum(map(len, found.values())) == len(
                list(student.parameters())
            )

    @pytest.mark.parametrize('kind', ['SGD', 'AdamW'])
    def test_steps_are_those_of_a_group_for_each(self, kind, monkeypatch):
        optimizer = dict(type=kind, lr=0.001, weight_decay=0.1)

        def train():
            model = _model(norm=True)
            wrapper = _build(
                model, optimizer=optimizer, paramwise_cfg=self.RULES
            )
            for step in range(3):
                images = torch.full((2, 3, 4, 4), 0.1 * step)
                outputs = [s._forward(images) for s in model.students]
                wrapper.update_params(sum(o.square().sum() for o in outputs))
            groups = len(wrapper['students.0'].optimizer.param_groups)
            return groups, model.students.state_dict()

        merged, expected = train()
        monkeypatch.setattr(
            mutual_optim_wrapper_constructor, 'merge_groups', lambda _: None
        )
        single, found = train()
        assert merged < single
        for name, value in found.items():
            torch.testing.assert_close(value, expected[name])

    def test_of_a_foreign_optimiser_stay(self):
        class Counts(torch.optim.SGD):
            pass

        layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
        optimizer = Counts([dict(params=x.parameters()) for x in layers], 0.1)
        mutual_optim_wrapper_constructor.merge_groups(optimizer)
        assert len(optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ('key', 'meant'),
    [('on_nonfinit', 'on_nonfinite'), ('student', 'students')],
)
def test_misspelt_settings_of_the_constructor(key, meant):
    with pytest.raises(ValueError, match=f"no setting '{key}'.*'{meant}'"):
        _build(_model(), optimizer=SGD, **{key: 'skip'})
