"""Signals save a checkpoint and end the run."""

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook, Hook

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.engine.hooks import InterruptionHook
from rml_mmseg.engine.loops import StagedTrainLoop
from tests.forks import FORK, PATIENCE
from tests.toys import toy_runner, val_settings


class Send(Hook):
    """Sends a signal at a place of the run."""

    def __init__(self, number, iteration, place):
        def send(runner, *args, **kwargs):
            if runner.iter == iteration:
                os.kill(os.getpid(), number)

        setattr(self, place, send)


def runner_with(folder, resume=False, send=None, hook=None):
    hooks = [Send(*send)] if send else []
    return toy_runner(
        folder,
        hooks,
        resume=resume,
        default_hooks=dict(
            logger=None,
            timer=None,
            interruption=dict(type='InterruptionHook', **(hook or {})),
            checkpoint=dict(
                type='AtomicCheckpointHook', by_epoch=False, interval=4
            ),
        ),
        **val_settings(folder),
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=4, val_interval=2
        ),
    )


def final(folder):
    path = folder / 'work' / 'iter_4.pth'
    return torch.load(path, weights_only=SAFE_LOADING)['state_dict']


@pytest.fixture(scope='module')
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    runner_with(folder).train()
    return final(folder)


def test_a_training_that_failed_leaves_signals_alone(tmp_path):
    class Fails(Hook):
        def after_train_iter(self, *args, **kwargs):
            raise FloatingPointError

    before = signal.getsignal(signal.SIGINT)
    runner = runner_with(tmp_path)
    runner.register_hook(Fails())
    with pytest.raises(FloatingPointError):
        runner.train()
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT', 'SIGUSR1'])
@pytest.mark.parametrize(
    ('place', 'iteration', 'saved'),
    [
        ('before_train_iter', 1, 'iter_2.pth'),
        # This signal comes when the iteration is over.
        ('after_train_iter', 0, 'iter_2.pth'),
        ('before_val_iter', 2, 'iter_2.pth'),
    ],
)
def test_saves_and_leaves(tmp_path, expected, name, place, iteration, saved):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        runner_with(tmp_path, send=(number, iteration, place)).train()
    assert caught.value.code == 75
    assert signal.getsignal(number) == before
    text = (tmp_path / 'work' / 'last_checkpoint').read_text()
    assert Path(text).name == saved
    runner_with(tmp_path, resume=True).train()
    found = final(tmp_path)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_second_signal_acts_at_once(tmp_path):
    # Ignored where the tests run in the background of a shell.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Twice(Hook):
        def before_train_iter(self, *args, **kwargs):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    runner = runner_with(tmp_path)
    runner.register_hook(Twice())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    signal.signal(signal.SIGINT, before)


def test_handlers_are_put_back_after_a_whole_run(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    runner_with(tmp_path).train()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_forked_worker_does_not_react():
    hook = InterruptionHook()
    hook._process = os.getpid() + 1
    hook._receive(signal.SIGTERM, None)
    assert hook.received is None


class Wait(Hook):
    """Hook that tells that a run is at a place, and waits for a signal."""

    def __init__(self, place, ready):
        def wait(runner, *args, **kwargs):
            # By then both workers have sent a batch.
            if runner.iter == 2 and not ready.is_set():
                ready.set()
                [hook] = [
                    hook
                    for hook in runner.hooks
                    if isinstance(hook, InterruptionHook)
                ]
                while hook.received is None:
                    time.sleep(0.01)

        setattr(self, place, wait)


def run_with_workers(folder, place, ready):
    """Run in a separate process group, as a shell or Slurm does."""
    os.setsid()
    torch.set_num_threads(1)
    # The shell that runs the tests may ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runner = runner_with(folder)
    workers = dict(num_workers=2, persistent_workers=True)
    runner._train_dataloader.update(workers)
    runner._val_dataloader.update(workers)
    runner.register_hook(Wait(place, ready))
    runner.train()


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT', 'SIGUSR1'])
@pytest.mark.parametrize('place', ['before_train_iter', 'before_val_iter'])
def test_a_signal_to_all_processes_saves(tmp_path, name, place):
    ready = FORK.Event()
    process = FORK.Process(
        target=run_with_workers, args=(tmp_path, place, ready)
    )
    process.start()
    try:
        assert ready.wait(PATIENCE)
        os.killpg(process.pid, getattr(signal, name))
        # Workers that ignored the end of the run would keep it waiting.
        process.join(PATIENCE / 2)
        assert process.exitcode == 75
    finally:
        process.kill()
    text = (tmp_path / 'work' / 'last_checkpoint').read_text()
    saved = 3 if place == 'before_train_iter' else 2
    assert Path(text).name == f'iter_{saved}.pth'


@pytest.mark.parametrize(
    ('loop', 'others', 'leaves'),
    [
        (SimpleNamespace(validates_again=True), [], True),
        # The validation would be lost, and with it a best checkpoint.
        (SimpleNamespace(), [], False),
        # In a validation EMAHook has swapped the average in, which would be
        # saved as the weights that train.
        (SimpleNamespace(validates_again=True), [EMAHook()], False),
    ],
)
def test_a_validation_is_left_only_where_nothing_is_lost(loop, others, leaves):
    hook = InterruptionHook()
    hook.received = signal.SIGTERM
    hook._previous = {signal.SIGTERM: signal.SIG_DFL}
    left = []
    hook._leave = lambda runner, number, iteration: left.append(iteration)
    runner = SimpleNamespace(iter=4, train_loop=loop, hooks=[hook, *others])
    hook.after_val_iter(runner, 0)
    assert left == ([4] if leaves else [])


def test_the_loop_of_stages_validates_again():
    assert StagedTrainLoop.validates_again


def test_own_code_and_signals(tmp_path):
    hook = dict(signals=['SIGUSR2', 'SIGTERM'], exit_code=99)
    send = (signal.SIGUSR2, 0, 'before_train_iter')
    with pytest.raises(SystemExit) as caught:
        runner_with(tmp_path, send=send, hook=hook).train()
    assert caught.value.code == 99


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(signals=['TERM']), r"signals.*\['TERM'\]"),
        (dict(signals=['SIGTREM']), "'SIGTREM'.*did you mean 'SIGTERM'"),
        (dict(exit_code=0), r'exit_code must be in \[1, 125\], got 0'),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        InterruptionHook(**settings)
