"""A two-stage run, killed in each of its phases and resumed."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.datasets.soft_labels import SoftLabelStore
from rml_mmseg.engine import StagedTrainLoop

SETTINGS = {
    'train_cfg.iters_per_stage': 4,
    'train_cfg.stages': 2,
    'train_cfg.burn_in_iters': 2,
    'train_cfg.val_interval': 8,
    'model.semi_train_cfg': dict(p0='stage'),
    'default_hooks.checkpoint.interval': 1,
    'val_evaluator.learners': [],
    'model.test_cfg.score': [],
}
LAST = 'iter_8.pth'


def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def before_iteration(number):
    """Die before an iteration, after the previous one's checkpoint."""
    run_iter = StagedTrainLoop.run_iter

    def trap(self, batch):
        if self.iter == number:
            die()
        run_iter(self, batch)

    StagedTrainLoop.run_iter = trap


def while_labelling(number):
    """Die after a number of soft pseudo labels was written."""
    write, written = SoftLabelStore.write, []

    def trap(self, image, logits):
        write(self, image, logits)
        written.append(image)
        if len(written) == number:
            die()

    SoftLabelStore.write = trap


def between_stages(stage):
    """Die when a stage is over and the next has not begun."""
    begin = StagedTrainLoop._begin_stage

    def trap(self):
        if self.stage == stage:
            die()
        begin(self)

    StagedTrainLoop._begin_stage = trap


PHASES = {
    'burn-in': (before_iteration, 1),
    'first labels': (while_labelling, 3),
    'first stage': (before_iteration, 3),
    'between': (between_stages, 1),
    'second labels': (while_labelling, 6 + 2),
    'second stage': (before_iteration, 6),
}


def train(cfg):
    Runner.from_cfg(cfg).train()


def trapped(cfg, trap, argument):
    torch.set_num_threads(1)
    trap(argument)
    train(cfg)


def killed(cfg, phase):
    """Train in a process of its own until it is killed."""
    context = multiprocessing.get_context('fork')
    process = context.Process(target=trapped, args=(cfg, *PHASES[phase]))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def weights(cfg):
    path = Path(cfg.work_dir) / LAST
    return torch.load(path, weights_only=SAFE_LOADING)['state_dict']


def stored(cfg, stage):
    return sorted(Path(cfg.work_dir).glob(f'stages/stage_{stage}/**/*.npz'))


def resumed(cfg):
    cfg.resume = True
    cfg.experiment_name += '_resumed'
    train(cfg)
    return weights(cfg)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    different = [k for k in found if not torch.equal(found[k], expected[k])]
    assert different == []


def test_killed_in_each_phase(tiny_config):
    whole = tiny_config(SETTINGS)
    train(whole)
    expected = weights(whole)
    assert len(stored(whole, 1)) == len(stored(whole, 2)) == 6
    # The second stage has labels of its own.
    first, second = stored(whole, 1)[0], stored(whole, 2)[0]
    assert first.read_bytes() != second.read_bytes()
    for phase in PHASES:
        cfg = tiny_config(SETTINGS)
        killed(cfg, phase)
        assert not (Path(cfg.work_dir) / LAST).exists(), phase
        assert_equal(resumed(cfg), expected)


def test_labels_that_were_made_before_a_kill_are_kept(tiny_config):
    cfg = tiny_config(SETTINGS)
    killed(cfg, 'first labels')
    times = {path: path.stat().st_mtime_ns for path in stored(cfg, 1)}
    assert len(times) == 3
    resumed(cfg)
    assert all(path.stat().st_mtime_ns == times[path] for path in times)


def test_damaged_and_foreign_labels_are_made_again(tiny_config):
    whole = tiny_config(SETTINGS)
    train(whole)
    cfg = tiny_config(SETTINGS)
    killed(cfg, 'second stage')
    damaged, foreign, lost, *_ = stored(cfg, 2)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    foreign.write_bytes(stored(cfg, 1)[1].read_bytes())
    lost.unlink()
    rest = damaged.with_name(f'{damaged.name}.0123abcd.part')
    rest.write_bytes(b'')
    assert_equal(resumed(cfg), weights(whole))
    assert not rest.exists()
    # So few iterations with a foreign file would not change the weights.
    assert foreign.read_bytes() == stored(whole, 2)[1].read_bytes()


def test_resume_elsewhere_says_what_is_missing(tiny_config):
    cfg = tiny_config(SETTINGS)
    killed(cfg, 'second stage')
    (Path(cfg.work_dir) / 'stages/stage_2/teachers.pth').unlink()
    with pytest.raises(FileNotFoundError, match='teachers.pth.*p0'):
        resumed(cfg)


def test_students_may_start_again(tiny_config):
    cfg = tiny_config({**SETTINGS, 'train_cfg.restart_students': True})
    cfg.train_cfg.iters_per_stage = 4
    runner = Runner.from_cfg(cfg)
    begin = []
    original = runner.build_train_loop

    def watched(loop):
        built = original(loop)
        labels = built._begin_labels

        def note():
            labels()
            model = runner.model
            begin.append(
                [
                    {k: v.clone() for k, v in part.state_dict().items()}
                    for part in (model.students, model.teachers)
                ]
            )

        built._begin_labels = note
        return built

    runner.build_train_loop = watched
    runner.train()
    (first_students, _), (students, teachers) = begin
    path = Path(cfg.work_dir) / 'stages/initial_students.pth'
    initial = torch.load(path, weights_only=True)
    assert_equal(students, initial)
    assert_equal(teachers, initial)


def test_restart_without_stored_labels_is_refused(tiny_config):
    cfg = tiny_config({'train_cfg.restart_students': True})
    with pytest.raises(ValueError, match=r"p0='stage'"):
        train(cfg)


@pytest.mark.parametrize('schedulers', [None, []])
def test_a_quick_try_without_schedules(tiny_config, schedulers):
    """The first step that docs/troubleshooting.md suggests."""
    runner = Runner.from_cfg(tiny_config({'param_scheduler': schedulers}))
    runner.train()
    assert runner.iter == 4
