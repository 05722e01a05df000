"""The hook on a real Runner that trains small networks."""

import copy
import functools

import pytest
import torch
from mmengine.hooks import Hook
from mmseg.registry import MODELS

from rml_mmseg.engine import MutualEMAHook
from tests.toys import (
    METAINFO,
    ToyBackbone,
    toy_model_cfg,
    toy_runner,
    toy_segmentor,
    val_settings,
)

MOMENTUM = 0.6


def _states(modules):
    return [copy.deepcopy(module.state_dict()) for module in modules]


def _close(a, b, exact=False):
    for x, y in zip(a, b):
        for key in x:
            if exact:
                assert torch.equal(x[key], y[key]), key
            else:
                torch.testing.assert_close(x[key], y[key], msg=key)


def _differ(a, b):
    return any(
        not torch.equal(x[key], y[key]) for x, y in zip(a, b) for key in x
    )


class Recorder(Hook):
    """Keeps all networks before the first and after each iteration."""

    def __init__(self):
        self.students, self.teachers, self.rectifiers = [], [], []
        self.modes = []

    def _keep(self, runner):
        model = runner.model
        self.students.append(_states(model.students))
        self.teachers.append(_states(model.teachers))
        self.rectifiers.append(_states(model.rectifiers))
        self.modes.append([m.training for m in model.teachers.modules()])

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        burn_in = runner.train_loop.burn_in_iters
        assert runner.model.iteration == max(runner.iter - burn_in, 0)
        if not self.students:
            self._keep(runner)

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self._keep(runner)


class Poison(Hook):
    """Makes gradients, or a student, not finite in one iteration."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration, target):
        self.iteration, self.target = iteration, target

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter != self.iteration:
            return
        weight = runner.model.students[1].decode_head.conv_seg.weight
        handle = weight.register_hook(lambda grad: grad * float('nan'))
        self.handle = handle

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        if runner.iter != self.iteration:
            return
        self.handle.remove()
        student = runner.model.students[1]
        with torch.no_grad():
            if self.target == 'weight':
                student.decode_head.conv_seg.bias[0] = float('inf')
            elif self.target == 'buffer':
                student.backbone.norm.running_mean[0] = float('nan')


def _run(tmp_path, momentum=MOMENTUM, warm_up=False, buffers='copy', **kwargs):
    hooks = kwargs.pop('hooks', [])
    recorder = Recorder()
    runner = toy_runner(
        tmp_path,
        hooks=[recorder],
        custom_hooks=[
            dict(
                type='MutualEMAHook',
                momentum=momentum,
                warm_up=warm_up,
                buffers=buffers,
            )
        ],
        **kwargs,
    )
    for hook in hooks:
        runner.register_hook(hook)
    recorder.runner = runner
    runner.train()
    return recorder


def _averaged(recorder, momenta, steps, teachers=None):
    """Teachers folded by hand from the students after each step."""
    teachers = teachers or recorder.students[0]
    for momentum, n in zip(momenta, steps):
        teachers = [
            {key: momentum * t[key] + (1 - momentum) * s[key] for key in t}
            for t, s in zip(teachers, recorder.students[n])
        ]
    return teachers


def test_closed_form_after_n_iterations(tmp_path):
    recorder = _run(tmp_path)
    n = len(recorder.students) - 1
    assert n == 4
    _close(recorder.teachers[0], recorder.students[0], exact=True)
    # m^n s_0 + (1 - m) sum_i m^(n - i) s_i
    for i, teacher in enumerate(recorder.teachers[n]):
        for key, value in teacher.items():
            expected = MOMENTUM**n * recorder.students[0][i][key]
            for j in range(1, n + 1):
                share = (1 - MOMENTUM) * MOMENTUM ** (n - j)
                expected = expected + share * recorder.students[j][i][key]
            torch.testing.assert_close(value, expected)
    assert _differ(recorder.teachers[n], recorder.students[n])


def test_warm_up_makes_an_early_teacher_the_mean(tmp_path):
    recorder = _run(tmp_path, momentum=0.7, warm_up=True)
    _close(recorder.teachers[1], recorder.students[1])
    mean = [
        {key: (a[key] + b[key]) / 2 for key in a}
        for a, b in zip(recorder.students[1], recorder.students[2])
    ]
    _close(recorder.teachers[2], mean)
    expected = _averaged(recorder, [0.0, 0.5, 2 / 3, 0.7], range(1, 5))
    _close(recorder.teachers[4], expected)


def test_teachers_and_prototypes_move_only_with_a_step(tmp_path):
    recorder = _run(
        tmp_path,
        warm_up=True,
        optim_wrapper=dict(
            constructor='MutualOptimWrapperConstructor',
            accumulative_counts=2,
            optimizer=dict(type='SGD', lr=0.1),
        ),
    )
    for n, moves in enumerate([False, True, False, True], 1):
        for kept in (
            recorder.students,
            recorder.teachers,
            recorder.rectifiers,
        ):
            assert _differ(kept[n], kept[n - 1]) == moves
    # Momentum counts steps, not iterations.
    _close(recorder.teachers[4], _averaged(recorder, [0.0, 0.5], [2, 4]))
    # A step counts the pixels of both its batches: 2 * 2 images of 8 x 10.
    counts = [int(kept[0]['counts'].sum()) for kept in recorder.rectifiers]
    assert [b - a for a, b in zip(counts[::2], counts[2::2])] == [320, 320]


def test_plain_optim_wrapper_accumulates_alike(tmp_path):
    recorder = _run(
        tmp_path,
        optim_wrapper=dict(
            type='OptimWrapper',
            accumulative_counts=2,
            optimizer=dict(type='SGD', lr=0.1),
        ),
    )
    _close(recorder.teachers[4], _averaged(recorder, [MOMENTUM] * 2, [2, 4]))
    assert not _differ(recorder.teachers[3], recorder.teachers[2])


def test_prototypes_follow_equation_11(tmp_path):
    recorder = _run(
        tmp_path,
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=3, initialise=False
        ),
    )
    assert not recorder.rectifiers[0][0]['counts'].any()
    seen = [kept[0]['counts'] for kept in recorder.rectifiers]
    assert all((b >= a).all() for a, b in zip(seen, seen[1:]))
    assert int(seen[3].sum()) == 3 * 160


@pytest.mark.parametrize('buffers', ['copy', 'average'])
def test_running_statistics_follow_their_policy(tmp_path, buffers):
    recorder = _run(
        tmp_path,
        buffers=buffers,
        model=toy_model_cfg(segmentors=[toy_segmentor(norm=True)] * 2),
    )
    key = 'backbone.norm.running_mean'
    teacher = recorder.teachers[4][0][key]
    students = [kept[0][key] for kept in recorder.students]
    if buffers == 'copy':
        expected = students[4]
    else:
        expected = students[0]
        for value in students[1:]:
            expected = MOMENTUM * expected + (1 - MOMENTUM) * value
    torch.testing.assert_close(teacher, expected)
    counter = 'backbone.norm.num_batches_tracked'
    assert int(recorder.teachers[4][0][counter]) == 4


def test_teachers_are_in_eval_mode_throughout(tmp_path):
    recorder = _run(tmp_path)
    assert not any(mode for modes in recorder.modes for mode in modes)


def test_loaded_teachers_are_not_overwritten(tmp_path):
    source = toy_runner(tmp_path).model
    for parameter in source.teachers.parameters():
        parameter.fill_(0.25)
    path = tmp_path / 'wrapper.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    recorder = _run(tmp_path, load_from=str(path))
    _close(recorder.teachers[0], _states(source.teachers), exact=True)
    _close(recorder.students[0], _states(source.students), exact=True)


def test_loaded_teachers_are_not_thrown_away_by_a_warm_up(tmp_path):
    checkpoint = dict(type='AtomicCheckpointHook', by_epoch=False, interval=2)
    settings = dict(
        momentum=0.9,
        warm_up=True,
        default_hooks=dict(checkpoint=checkpoint, logger=None),
    )
    source = toy_runner(tmp_path).model
    for parameter in source.teachers.parameters():
        parameter.fill_(0.25)
    path = tmp_path / 'wrapper.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    whole = _run(tmp_path, load_from=str(path), **settings)
    expected = [
        {key: 0.9 * t[key] + 0.1 * s[key] for key in t}
        for t, s in zip(whole.teachers[0], whole.students[1])
    ]
    _close(whole.teachers[1], expected)
    (tmp_path / 'work' / 'iter_4.pth').unlink()
    resumed = _run(tmp_path, resume=True, **settings)
    assert len(resumed.teachers) == 3
    _close(resumed.teachers[2], whole.teachers[4], exact=True)


def test_only_a_learner_that_is_new_warms_up(tmp_path, capfd):
    checkpoint = dict(type='AtomicCheckpointHook', by_epoch=False, interval=2)
    settings = dict(
        momentum=0.9,
        warm_up=True,
        default_hooks=dict(checkpoint=checkpoint, logger=None),
        log_level='WARNING',
    )
    source = toy_runner(tmp_path, model=toy_model_cfg(learners=1)).model
    for parameter in source.teachers.parameters():
        parameter.fill_(0.25)
    path = tmp_path / 'one.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    whole = _run(tmp_path, load_from=str(path), **settings)
    assert 'left as initialised: all of students.1' in capfd.readouterr().out
    _close(whole.students[0][:1], _states(source.students), exact=True)
    _close(whole.teachers[0][:1], _states(source.teachers), exact=True)
    old = _averaged(whole, [0.9] * 4, range(1, 5), whole.teachers[0])
    new = _averaged(whole, [0.0, 1 / 2, 2 / 3, 3 / 4], range(1, 5))
    _close(whole.teachers[4], [old[0], new[1]])
    (tmp_path / 'work' / 'iter_4.pth').unlink()
    resumed = _run(tmp_path, resume=True, **settings)
    assert len(resumed.teachers) == 3
    _close(resumed.teachers[2], whole.teachers[4], exact=True)


def test_teachers_of_a_plain_checkpoint_warm_up(tmp_path):
    path = tmp_path / 'plain.pth'
    source = toy_runner(tmp_path).model.students[0]
    torch.save(dict(state_dict=source.state_dict()), path)
    recorder = _run(tmp_path, warm_up=True, load_from=str(path))
    _close(recorder.teachers[1], recorder.students[1])


def test_plain_checkpoint_makes_equal_students_and_teachers(tmp_path):
    source = toy_runner(tmp_path).model.students[0]
    path = tmp_path / 'plain.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    recorder = _run(tmp_path, load_from=str(path))
    expected = [source.state_dict()] * 2
    _close(recorder.students[0], expected, exact=True)
    _close(recorder.teachers[0], expected, exact=True)


def test_teachers_absent_from_a_checkpoint_are_copied(tmp_path):
    source = toy_runner(tmp_path).model
    state = {
        key: value + 1
        for key, value in source.state_dict().items()
        if key.startswith('students.')
    }
    path = tmp_path / 'students.pth'
    torch.save(dict(state_dict=state), path)
    recorder = _run(tmp_path, load_from=str(path))
    assert _differ(recorder.students[0], _states(source.students))
    _close(recorder.teachers[0], recorder.students[0], exact=True)
    # Weights of only one teacher.
    own = source.teachers[0].state_dict()
    state.update({f'teachers.0.{key}': own[key] for key in own})
    torch.save(dict(state_dict=state), path)
    recorder = _run(tmp_path, load_from=str(path))
    _close(recorder.teachers[0][:1], [own], exact=True)
    _close(recorder.teachers[0][1:], recorder.students[0][1:], exact=True)


class TestNonFinite:
    def _wrapper(self, on_nonfinite):
        return dict(
            constructor='MutualOptimWrapperConstructor',
            on_nonfinite=on_nonfinite,
            optimizer=dict(type='SGD', lr=0.1),
        )

    def test_stop_leaves_everything_as_it_was(self, tmp_path):
        with pytest.raises(FloatingPointError, match=r'students\.1'):
            _run(
                tmp_path,
                hooks=[Poison(2, None)],
                optim_wrapper=self._wrapper('stop'),
            )

    def test_stopped_run_has_finite_networks(self, tmp_path):
        recorder = Recorder()
        runner = toy_runner(
            tmp_path,
            hooks=[recorder],
            optim_wrapper=self._wrapper('stop'),
        )
        runner.register_hook(Poison(2, None))
        with pytest.raises(FloatingPointError):
            runner.train()
        assert len(recorder.students) == 3
        model = runner.model
        _close(_states(model.students), recorder.students[2], exact=True)
        _close(_states(model.teachers), recorder.teachers[2], exact=True)
        _close(_states(model.rectifiers), recorder.rectifiers[2], exact=True)

    def test_skip_leaves_teachers_and_prototypes_alone(self, tmp_path):
        recorder = _run(
            tmp_path,
            hooks=[Poison(2, None)],
            optim_wrapper=self._wrapper('skip'),
        )
        before, after = 2, 3
        assert not _differ(
            recorder.students[after][1:], recorder.students[before][1:]
        )
        for kept in (recorder.teachers, recorder.rectifiers):
            assert not _differ(kept[after], kept[before])
            assert _differ(kept[before], kept[before - 1])
            assert _differ(kept[after + 1], kept[after])
        # What was discarded does not come back with the next batch.
        counts = [int(kept[0]['counts'].sum()) for kept in recorder.rectifiers]
        assert counts[4] - counts[3] == 160
        assert recorder.runner.message_hub.get_info('skipped_steps') == 1

    def test_step_that_one_gradient_scaler_leaves_out(
        self, tmp_path, monkeypatch
    ):
        if not hasattr(torch.amp, 'GradScaler'):
            pytest.skip('this PyTorch has no gradient scaler for the CPU')
        module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
        monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
        scaler = functools.partial(torch.amp.GradScaler, 'cpu')
        monkeypatch.setattr(f'{module}.GradScaler', scaler)
        recorder = _run(
            tmp_path,
            hooks=[Poison(0, None)],
            optim_wrapper=dict(
                type='AmpOptimWrapper',
                dtype='bfloat16',
                optimizer=dict(type='SGD', lr=0.1),
            ),
        )
        for kept in (
            recorder.students,
            recorder.teachers,
            recorder.rectifiers,
        ):
            assert not _differ(kept[1], kept[0])
            assert _differ(kept[2], kept[1])

    def test_skip_mends_running_statistics(self, tmp_path):
        """A batch moves them even if its step is skipped."""

        class Overflow(Hook):
            priority = 'VERY_HIGH'

            def before_train_iter(self, runner, batch_idx, data_batch=None):
                first = runner.model.students[1].backbone.first
                if runner.iter == 2:
                    self.handle = first.register_forward_hook(
                        lambda module, args, output: output * float('inf')
                    )

            def after_train_iter(self, runner, *args, **kwargs):
                if runner.iter == 2:
                    self.handle.remove()

        recorder = _run(
            tmp_path,
            hooks=[Overflow()],
            model=toy_model_cfg(segmentors=[toy_segmentor(norm=True)] * 2),
            optim_wrapper=self._wrapper('skip'),
        )
        assert len(recorder.students) == 5
        assert recorder.runner.message_hub.get_info('skipped_steps') >= 1
        for name in ('running_mean', 'running_var'):
            key = f'backbone.norm.{name}'
            before = recorder.teachers[2][1][key]
            assert torch.equal(recorder.students[3][1][key], before)
            assert not torch.equal(recorder.students[4][1][key], before)

    @pytest.mark.parametrize('target', ['weight', 'buffer'])
    def test_student_that_is_not_finite_never_reaches_its_teacher(
        self, tmp_path, target
    ):
        runner = toy_runner(
            tmp_path,
            model=toy_model_cfg(segmentors=[toy_segmentor(norm=True)] * 2),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)
            ),
        )

        class Spoil(Poison):
            def before_train_iter(self, *args, **kwargs):
                self.handle = torch.zeros(1, requires_grad=True).register_hook(
                    lambda grad: grad
                )

        runner.register_hook(Spoil(1, target))
        with pytest.raises(FloatingPointError, match=r'students\.1.*iter.* 2'):
            runner.train()
        for value in runner.model.teachers.state_dict().values():
            assert value.float().isfinite().all()

    @pytest.mark.parametrize(
        ('value', 'fine'), [(float('-inf'), True), (float('nan'), False)]
    )
    def test_a_constant_mask_may_be_infinite(self, tmp_path, value, fine):
        class Masked(ToyBackbone):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.register_buffer('mask', torch.full((2, 2), value).triu(1))

        MODELS.register_module('MaskedBackbone', module=Masked, force=True)
        segmentor = toy_segmentor(norm=True)
        segmentor['backbone']['type'] = 'MaskedBackbone'
        settings = dict(model=toy_model_cfg(segmentors=[segmentor] * 2))
        if fine:
            recorder = _run(tmp_path, buffers='average', **settings)
            mask = recorder.teachers[4][1]['backbone.mask']
            assert torch.equal(mask, torch.full((2, 2), value).triu(1))
            settings['hooks'] = [Poison(1, 'buffer')]
        with pytest.raises(FloatingPointError, match=r'students\.'):
            _run(tmp_path, **settings)


class TestSettings:
    def test_momentum_by_step(self):
        hook = MutualEMAHook(momentum=0.9)
        assert hook.momentum_at(0) == 0.0
        assert hook.momentum_at(1) == 0.5
        assert hook.momentum_at(8) == pytest.approx(1 - 1 / 9)
        assert hook.momentum_at(9) == hook.momentum_at(10**6) == 0.9
        assert MutualEMAHook(0.9, warm_up=False).momentum_at(0) == 0.9

    @pytest.mark.parametrize('momentum', [-0.1, 1.5, 'high', None])
    def test_momentum_out_of_range(self, momentum):
        with pytest.raises(ValueError, match=f'momentum.*{momentum}'):
            MutualEMAHook(momentum)

    def test_unknown_buffer_policy(self):
        with pytest.raises(ValueError, match="buffers.*'mean'"):
            MutualEMAHook(buffers='mean')

    def test_plain_model_is_refused(self, tmp_path):
        runner = toy_runner(
            tmp_path,
            model=dict(
                toy_segmentor(),
                data_preprocessor=dict(
                    type='SegDataPreProcessor', size=(8, 8)
                ),
            ),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )
        with pytest.raises(TypeError, match='EncoderDecoder.*EMAHook'):
            runner.train()

    def test_number_of_classes_must_fit_the_data(self, tmp_path):
        segmentor = toy_segmentor(num_classes=4)
        runner = toy_runner(
            tmp_path, model=toy_model_cfg(segmentors=[segmentor])
        )
        count = len(METAINFO['classes'])
        with pytest.raises(ValueError, match=f'num_classes.*4.*{count} class'):
            runner.train()

    @pytest.mark.parametrize(
        'classes',
        [
            ('tree', 'road', 'sky'),
            ('road', 'tree'),
            ('road', 'sky', 'a tree'),
        ],
    )
    def test_scores_under_wrong_names_are_refused(self, tmp_path, classes):
        assert METAINFO['classes'] == ('road', 'tree', 'sky')
        settings = val_settings(tmp_path)
        settings['val_dataloader']['dataset']['metainfo'] = dict(
            classes=classes, palette=METAINFO['palette'][: len(classes)]
        )
        runner = toy_runner(tmp_path, **settings)
        with pytest.raises(ValueError, match='val_dataloader.*wrong names'):
            runner.train()


def test_students_that_go_on_have_one_warm_up(tmp_path):
    recorder = _run(
        tmp_path,
        momentum=0.9,
        warm_up=True,
        train_cfg=dict(type='StagedTrainLoop', iters_per_stage=2, stages=2),
    )
    expected = _averaged(recorder, [0.0, 1 / 2, 2 / 3, 3 / 4], range(1, 5))
    _close(recorder.teachers[4], expected)


def test_students_that_start_again_have_a_warm_up_again(tmp_path):
    recorder = _run(
        tmp_path,
        momentum=0.9,
        warm_up=True,
        model=toy_model_cfg(semi_train_cfg=dict(p0='stage')),
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=2,
            stages=2,
            restart_students=True,
        ),
    )
    _close(recorder.teachers[3], recorder.students[3])


def test_teachers_are_put_into_eval_mode_also_without_validation(tmp_path):
    recorder = Recorder()
    runner = toy_runner(tmp_path, hooks=[recorder])
    # The conversion to SyncBatchNorm leaves them in training mode.
    runner.model.teachers.train()
    runner.train()
    assert not any(mode for modes in recorder.modes for mode in modes)


class Gradients(Hook):
    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(
            any(p.grad is not None for p in runner.model.parameters())
        )


def test_a_new_run_takes_no_gradients_of_a_checkpoint(tmp_path):
    source = toy_runner(tmp_path).model
    gradients = {
        name: torch.ones_like(parameter)
        for name, parameter in source.named_parameters()
        if name.startswith('students.')
    }
    path = tmp_path / 'middle.pth'
    unfinished = dict(gradients=gradients, pending={})
    torch.save(
        dict(state_dict=source.state_dict(), unfinished_step=unfinished), path
    )
    hook = Gradients()
    toy_runner(tmp_path, [hook], load_from=str(path)).train()
    assert not hook.seen[0]
