import copy
import functools
import inspect
import itertools

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from rml_mmseg.engine import MutualOptimWrapper

HUBS = itertools.count()
SGD = functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9)
ADAMW = functools.partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)
DROPS_GRADIENTS = (
    inspect.signature(torch.optim.SGD.zero_grad)
    .parameters['set_to_none']
    .default
)


@pytest.fixture(autouse=True)
def _own_hub():
    """The wrapper keeps its counts in the message hub of a run."""
    MessageHub.get_instance(f'wrapper_{next(HUBS)}')


def _students(seed=0):
    torch.manual_seed(seed)
    return nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])


def _optimisers(students):
    return [make(s.parameters()) for make, s in zip((SGD, ADAMW), students)]


def _wrapper(students, on_nonfinite='stop', kind=OptimWrapper, **kwargs):
    own = kwargs.pop('own', ({}, {}))
    optimisers = (
        SGD(students[0].parameters()),
        ADAMW(students[1].parameters()),
    )
    return MutualOptimWrapper(
        on_nonfinite,
        **{
            f'students.{i}': kind(optimizer=o, **kwargs, **own[i])
            for i, o in enumerate(optimisers)
        },
    )


def _losses(students, seed):
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.randn(4, 3, generator=draw), torch.randn(4, 2, generator=draw)
    return [(student(x) - y).square().sum() for student in students]


def _equal(a, b):
    pairs = zip(a.parameters(), b.parameters())
    return all(torch.equal(x, y) for x, y in pairs)


def _train(students, wrapper, seeds):
    for seed in seeds:
        with wrapper.optim_context(students):
            loss = sum(_losses(students, seed))
        wrapper.update_params(loss)


def _reference(seeds, accumulate=1, clip=None):
    """The students by separate PyTorch optimisers."""
    students = _students()
    optimisers = [
        SGD(students[0].parameters()),
        ADAMW(students[1].parameters()),
    ]
    for n, seed in enumerate(seeds, 1):
        for loss in _losses(students, seed):
            (loss / accumulate).backward()
        if n % accumulate:
            continue
        for i, optimiser in enumerate(optimisers):
            if clip and clip[i]:
                nn.utils.clip_grad_norm_(students[i].parameters(), clip[i])
            optimiser.step()
            optimiser.zero_grad()
    return students


def test_equals_separate_optimisers():
    students = _students()
    _train(students, _wrapper(students), range(6))
    assert _equal(students, _reference(range(6)))
    assert not _equal(students, _students())


def test_norms_of_the_gradients_are_told_apart():
    students = _students()
    clips = [dict(clip_grad=dict(max_norm=norm)) for norm in (1.0, 1e-3)]
    wrapper = _wrapper(students, own=clips)
    hub = MessageHub.get_current_instance()
    loss = sum(_losses(students, 0))
    wrapper.update_params(loss)
    reference = _students()
    for i, own in enumerate(_losses(reference, 0)):
        own.backward()
        norm = nn.utils.clip_grad_norm_(reference[i].parameters(), 1.0)
        found = hub.get_scalar(f'train/students.{i}.grad_norm').current()
        assert found == pytest.approx(float(norm))


def test_one_backward_pass_for_all():
    students = _students()
    wrapper = _wrapper(students)
    calls = []
    loss = sum(_losses(students, 0))
    loss.register_hook(calls.append)
    wrapper.update_params(loss)
    assert len(calls) == 1
    # The graph is freed and the gradients are reset by the optimiser's own
    # `zero_grad`: before PyTorch 2.0 they become zero, not None.
    for parameter in students.parameters():
        assert parameter.grad is None or (
            not DROPS_GRADIENTS and not parameter.grad.any()
        )
    with pytest.raises(RuntimeError, match='second time'):
        loss.backward()


def test_accumulation():
    students = _students()
    wrapper = _wrapper(students, accumulative_counts=3)
    wrapper.initialize_count_status(students, 0, 100)
    stepped = []
    for seed in range(9):
        before = copy.deepcopy(students)
        _train(students, wrapper, [seed])
        stepped.append(not _equal(students, before))
        assert wrapper.should_update() == stepped[-1]
    assert stepped == [False, False, True] * 3
    expected = _reference(range(9), accumulate=3)
    for a, b in zip(students.parameters(), expected.parameters()):
        torch.testing.assert_close(a, b)


def test_last_iteration_steps_what_is_left():
    students = _students()
    wrapper = _wrapper(students, accumulative_counts=3)
    wrapper.initialize_count_status(students, 0, 4)
    _train(students, wrapper, range(3))
    before = copy.deepcopy(students)
    _train(students, wrapper, [3])
    assert not _equal(students, before)


def test_each_student_is_clipped_by_its_own_norm():
    own = (dict(clip_grad=dict(max_norm=0.5)), {})
    students = _students()
    _train(students, _wrapper(students, own=own), range(4))
    assert _equal(students, _reference(range(4), clip=(0.5, None)))
    assert not _equal(students, _reference(range(4)))


def test_state_comes_back_from_a_checkpoint():
    students = _students()
    wrapper = _wrapper(students)
    _train(students, wrapper, range(3))
    weights = copy.deepcopy(students.state_dict())
    state = copy.deepcopy(wrapper.state_dict())
    assert set(state) == {'students.0', 'students.1'}
    _train(students, wrapper, range(3, 6))
    again = _students(seed=7)
    resumed = _wrapper(again)
    again.load_state_dict(weights)
    resumed.load_state_dict(state)
    _train(again, resumed, range(3, 6))
    assert _equal(again, students)


def test_learning_rates_are_named_by_student():
    rates = _wrapper(_students()).get_lr()
    assert rates['students.0.lr'] == [0.1]
    assert rates['students.1.lr'] == [0.01]


class TestNonFinite:
    @pytest.mark.parametrize('bad', [0, 1])
    @pytest.mark.parametrize('value', [float('nan'), float('inf')])
    def test_stop_updates_nobody(self, bad, value):
        students = _students()
        wrapper = _wrapper(students)
        _train(students, wrapper, range(2))
        before = copy.deepcopy(students)
        losses = _losses(students, 2)
        losses[bad] = losses[bad] * value
        with pytest.raises(FloatingPointError, match=f'students.{bad}.*skip'):
            wrapper.update_params(sum(losses))
        assert _equal(students, before)

    @pytest.mark.parametrize('bad', [0, 1])
    def test_skip_leaves_out_that_student_alone(self, bad):
        students = _students()
        wrapper = _wrapper(students, 'skip')
        _train(students, wrapper, range(2))
        before = copy.deepcopy(students)
        losses = _losses(students, 2)
        losses[bad] = losses[bad] * float('nan')
        wrapper.update_params(sum(losses))
        assert _equal(students[bad], before[bad])
        assert not _equal(students[1 - bad], before[1 - bad])
        assert wrapper.last_skipped == [f'students.{bad}']
        hub = MessageHub.get_current_instance()
        assert hub.get_scalar('train/skipped_steps').current() == 1
        _train(students, wrapper, [3])
        assert wrapper.last_skipped == []
        assert all(p.isfinite().all() for p in students.parameters())

    def test_skipped_gradients_do_not_accumulate(self):
        students = _students()
        wrapper = _wrapper(students, 'skip')
        wrapper.update_params(sum(_losses(students, 0)) * float('nan'))
        _train(students, wrapper, range(3))
        assert _equal(students, _reference(range(3)))
        hub = MessageHub.get_current_instance()
        assert hub.get_info('skipped_steps') == 2

    def test_loss_alone_stops(self):
        students = _students()
        wrapper = _wrapper(students)
        before = copy.deepcopy(students)
        losses = [*_losses(students, 0), torch.tensor(float('inf'))]
        with pytest.raises(FloatingPointError, match='the loss is not finite'):
            wrapper.update_params(sum(losses))
        assert _equal(students, before)

    def test_loss_alone_skips_all(self):
        students = _students()
        wrapper = _wrapper(students, 'skip')
        before = copy.deepcopy(students)
        losses = [*_losses(students, 0), torch.tensor(float('nan'))]
        wrapper.update_params(sum(losses))
        assert _equal(students, before)
        assert wrapper.last_skipped == ['students.0', 'students.1']
        _train(students, wrapper, range(3))
        assert _equal(students, _reference(range(3)))

    def test_loss_within_an_accumulated_step(self):
        students = _students()
        wrapper = _wrapper(students, 'skip', accumulative_counts=2)
        wrapper.initialize_count_status(students, 0, 4)
        before = copy.deepcopy(students)
        extra = torch.tensor(float('inf'))
        with wrapper.optim_context(students):
            loss = sum(_losses(students, 0)) + extra
        wrapper.update_params(loss)
        _train(students, wrapper, [1])
        assert _equal(students, before)
        _train(students, wrapper, [2, 3])
        assert not _equal(students, before)

    def test_a_hopeless_run_stops(self, monkeypatch):
        name = 'rml_mmseg.engine.optimizers.mutual_optim_wrapper'
        monkeypatch.setattr(f'{name}.MAX_SKIPS_IN_A_ROW', 3)
        students = _students()
        wrapper = _wrapper(students, 'skip')

        def fail():
            wrapper.update_params(sum(_losses(students, 0)) * float('nan'))

        fail()
        fail()
        _train(students, wrapper, [0])
        fail()
        fail()
        with pytest.raises(FloatingPointError, match='3 steps in a row'):
            fail()

    def test_unknown_policy_is_an_error(self):
        with pytest.raises(ValueError, match="on_nonfinite.*'ignore'"):
            _wrapper(_students(), 'ignore')


class TestAmp:
    @pytest.fixture(autouse=True)
    def on_cpu(self, monkeypatch):
        """Use the CPU's gradient scaler, though the wrapper wants a GPU."""
        if not hasattr(torch.amp, 'GradScaler'):
            pytest.skip('this PyTorch has no gradient scaler for the CPU')
        module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
        monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
        scaler = functools.partial(
            torch.amp.GradScaler, 'cpu', init_scale=1024.0
        )
        monkeypatch.setattr(f'{module}.GradScaler', scaler)

    def _backward(self, students, wrapper, seed, factor=(1, 1)):
        losses = _losses(students, seed)
        wrapper.update_params(losses[0] * factor[0] + losses[1] * factor[1])

    @pytest.mark.parametrize('clip', [None, (0.5, 0.5)])
    def test_one_scaler_serves_all_and_changes_nothing(self, clip):
        students = _students()
        settings = dict(clip_grad=dict(max_norm=0.5)) if clip else {}
        wrapper = _wrapper(students, kind=AmpOptimWrapper, **settings)
        scalers = {id(w.loss_scaler) for w in wrapper.values()}
        assert scalers == {id(wrapper.scaler)}
        for seed in range(4):
            self._backward(students, wrapper, seed)
        expected = _reference(range(4), clip=clip)
        for a, b in zip(students.parameters(), expected.parameters()):
            torch.testing.assert_close(a, b)
        assert wrapper.scaler.get_scale() == 1024.0

    def test_overflow_skips_that_student_and_lowers_the_scale_once(self):
        students = _students()
        wrapper = _wrapper(students, kind=AmpOptimWrapper)
        self._backward(students, wrapper, 0)
        before = copy.deepcopy(students)
        self._backward(students, wrapper, 1, factor=(float('inf'), 1))
        assert _equal(students[0], before[0])
        assert not _equal(students[1], before[1])
        assert wrapper.scaler.get_scale() == 512.0
        assert wrapper.last_skipped == ['students.0']
        hub = MessageHub.get_current_instance()
        assert hub.get_scalar('train/overflows').current() == 1
        self._backward(students, wrapper, 2)
        assert wrapper.last_skipped == []

    def test_student_without_gradients_is_left_as_it_is(self):
        students = _students()
        wrapper = _wrapper(students, kind=AmpOptimWrapper)
        before = copy.deepcopy(students)
        wrapper.update_params(_losses(students, 0)[0])
        assert not _equal(students[0], before[0])
        assert _equal(students[1], before[1])
        assert wrapper.last_skipped == []

    def test_loss_that_is_not_finite_is_no_overflow(self):
        students = _students()
        wrapper = _wrapper(students, kind=AmpOptimWrapper)
        loss = sum(_losses(students, 0)) + torch.tensor(float('inf'))
        with pytest.raises(FloatingPointError, match='the loss is not finite'):
            wrapper.update_params(loss)

    def test_state_of_the_scaler_comes_back(self):
        students = _students()
        wrapper = _wrapper(students, kind=AmpOptimWrapper)
        self._backward(students, wrapper, 0, factor=(float('inf'), 1))
        again = _wrapper(_students(), kind=AmpOptimWrapper)
        again.load_state_dict(wrapper.state_dict())
        assert again.scaler.get_scale() == 512.0

    def test_types_must_agree(self):
        students = _students()
        with pytest.raises(ValueError, match='agree in type'):
            MutualOptimWrapper(
                a=OptimWrapper(SGD(students[0].parameters())),
                b=AmpOptimWrapper(optimizer=SGD(students[1].parameters())),
            )


def test_accumulation_must_agree():
    own = (dict(accumulative_counts=2), dict(accumulative_counts=3))
    with pytest.raises(ValueError, match='agree in accumulative_counts'):
        _wrapper(_students(), own=own)


def test_state_of_other_groups_is_refused():
    students = _students()
    saved = _wrapper(students).state_dict()
    _wrapper(students).load_state_dict(saved)
    both = [dict(params=[p]) for p in students[0].parameters()]
    other = MutualOptimWrapper(
        **{
            'students.0': OptimWrapper(optimizer=SGD(both)),
            'students.1': OptimWrapper(
                optimizer=ADAMW(students[1].parameters())
            ),
        }
    )
    with pytest.raises(
        ValueError, match=r'students.0 was .* 1 param.* makes 2'
    ):
        other.load_state_dict(saved)
