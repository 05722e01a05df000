"""Several processes on the CPU: equal results, and no hanging."""

import multiprocessing
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from torch import distributed as dist
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.modules.batchnorm import _BatchNorm

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.engine.unwrap import unwrap
from tests.toys import (
    toy_model_cfg,
    toy_runner,
    toy_segmentor,
    val_settings,
    write_images,
)

FORK = multiprocessing.get_context('fork')
# Seconds that a person at a console would wait.
PATIENCE = 60


@pytest.fixture
def folder(tmp_path):
    for name, count in (('labelled', 3), ('unlabelled', 5), ('val', 3)):
        write_images(tmp_path / name, count, seed=count)
    return tmp_path


class Act(Hook):
    """Does something in one process before one iteration."""

    priority = 'HIGHEST'

    def __init__(self, rank, iteration, action):
        self.rank = rank
        self.iteration = iteration
        self.action = action

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.rank == self.rank and runner.iter == self.iteration:
            self.action()


def train(
    folder,
    hooks=(),
    batch_size=1,
    p0='online',
    resume=False,
    sync_bn=None,
    interval=1,
    **model,
):
    runner = toy_runner(
        folder,
        model=toy_model_cfg(semi_train_cfg=dict(p0=p0), **model),
        sync_bn=sync_bn,
        launcher='pytorch' if dist.is_initialized() else 'none',
        resume=resume,
        default_hooks=dict(
            logger=None,
            timer=None,
            interruption=dict(type='InterruptionHook'),
            checkpoint=dict(
                type='AtomicCheckpointHook',
                by_epoch=False,
                interval=interval,
            ),
        ),
        **val_settings(folder),
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=2,
            stages=2,
            val_interval=2,
        ),
    )
    for hook in hooks:
        runner.register_hook(hook)
    runner._train_dataloader['batch_size'] = batch_size
    runner.train()
    return runner


def member(rank, size, store, function, arguments):
    """Run a function in one of several processes."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    os.environ.update(WORLD_SIZE=str(size))
    dist.init_process_group(
        'gloo',
        init_method=f'file://{store}',
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=PATIENCE),
    )
    function(*arguments)
    dist.destroy_process_group()


def together(folder, function, *arguments, size=2):
    """Exit codes of a function in several processes, and the seconds."""
    store = folder / f'store_{time.monotonic_ns()}'
    processes = [
        FORK.Process(
            target=member, args=(rank, size, store, function, arguments)
        )
        for rank in range(size)
    ]
    begin = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join(2 * PATIENCE)
    seconds = time.monotonic() - begin
    for process in processes:
        process.kill()
    return [process.exitcode for process in processes], seconds


def saved(folder, iteration=4):
    path = folder / 'work' / f'iter_{iteration}.pth'
    return torch.load(path, weights_only=SAFE_LOADING)['state_dict']


def test_processes_equal_one_with_all_of_their_images(folder):
    """Without batch statistics and mixing, which depend on the whole batch."""
    codes, _ = together(folder, train, folder)
    assert codes == [0, 0]
    several = saved(folder)
    alone = folder / 'alone'
    alone.mkdir()
    for name in ('labelled', 'unlabelled', 'val'):
        (alone / name).symlink_to(folder / name)
    train(alone, batch_size=2)
    one = saved(alone)
    initial = saved(alone, 1)
    key = 'students.0.backbone.first.weight'
    assert not torch.equal(one[key], initial[key])
    for name, value in one.items():
        torch.testing.assert_close(several[name], value, msg=name)


class TeachersAreNormalised(Hook):
    """Fails where a teacher is normalised by the batch."""

    priority = 'LOWEST'

    def _check(self, runner):
        teachers = unwrap(runner.model).teachers
        norms = [m for m in teachers.modules() if isinstance(m, _BatchNorm)]
        assert norms and not any(norm.training for norm in norms)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._check(runner)

    def after_val_epoch(self, runner, metrics=None):
        self._check(runner)


def test_synchronised_statistics_leave_the_teachers_in_eval_mode(folder):
    def both():
        cfg = dict(
            segmentors=[toy_segmentor(norm=True) for _ in range(2)],
            rectifier=False,
        )
        train(folder, [TeachersAreNormalised()], sync_bn='torch', **cfg)

    codes, _ = together(folder, both)
    assert codes == [0, 0]


def test_a_resumed_run_of_several_keeps_their_running_statistics(folder):
    """Each process has its own batches, and so its own statistics."""

    def both(resume=False):
        segmentors = [toy_segmentor(norm=True) for _ in range(2)]
        train(folder, resume=resume, segmentors=segmentors)

    assert together(folder, both)[0] == [0, 0]
    whole = saved(folder)
    for iteration in (3, 4):
        (folder / 'work' / f'iter_{iteration}.pth').unlink()
    assert together(folder, both, True)[0] == [0, 0]
    resumed = saved(folder)
    different = [k for k in whole if not torch.equal(whole[k], resumed[k])]
    assert different == []


def test_a_run_that_goes_on_alone_reads_on(folder):
    assert together(folder, train, folder)[0] == [0, 0]
    for iteration in (3, 4):
        (folder / 'work' / f'iter_{iteration}.pth').unlink()
    runner = train(folder, resume=True)
    # Two iterations of two processes.
    assert runner.train_dataloader.sampler.skipped == 4


def test_uneven_shards_do_not_hang(folder):
    codes, _ = together(folder, train, folder, (), 2, 'stage')
    assert codes == [0, 0]


@pytest.mark.parametrize('action', [os.abort, 'error'])
def test_a_process_that_dies_ends_the_others(folder, action):
    def fail():
        if action == 'error':
            raise ValueError('bad luck')
        os.kill(os.getpid(), signal.SIGKILL)

    codes, seconds = together(folder, train, folder, [Act(1, 2, fail)])
    assert codes[1] == (1 if action == 'error' else -signal.SIGKILL)
    assert codes[0] == 1
    assert seconds < PATIENCE
    # What was saved before is there, and whole.
    assert saved(folder, 2)


def test_a_signal_to_one_interrupts_all_at_one_iteration(folder):
    def tell():
        os.kill(os.getpid(), signal.SIGTERM)

    codes, _ = together(folder, train, folder, [Act(1, 1, tell)])
    assert codes == [75, 75]
    last = (folder / 'work' / 'last_checkpoint').read_text()
    assert Path(last).name == 'iter_2.pth'


def test_no_process_leaves_before_a_slow_checkpoint_is_saved(folder):
    """The launcher ends the others when the first one leaves."""
    last = folder / 'work' / 'last_checkpoint'

    def tell():
        os.kill(os.getpid(), signal.SIGTERM)

    def interrupted():
        save = torch.save

        def slow(*args, **kwargs):
            time.sleep(1)
            save(*args, **kwargs)

        # This changes only the forked process.
        torch.save = slow
        try:
            train(folder, [Act(1, 1, tell)], interval=100)
        except SystemExit as leaving:
            raise SystemExit(leaving.code if last.exists() else 3) from None

    codes, _ = together(folder, interrupted)
    assert codes == [75, 75]


def restarted(folder):
    """A process of an elastic launch; one dies, the first time."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', timeout=timedelta(seconds=PATIENCE))

    def die_once():
        flag = folder / 'died'
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    train(folder, [Act(1, 3, die_once)], p0='stage', resume=True)
    dist.destroy_process_group()


def test_elastic_restart_goes_on_where_it_was(folder):
    whole = folder / 'whole'
    whole.mkdir()
    for name in ('labelled', 'unlabelled', 'val'):
        (whole / name).symlink_to(folder / name)
    codes, _ = together(folder, train, whole, (), 1, 'stage')
    assert codes == [0, 0]
    launch = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        run_id='toys',
        rdzv_backend='c10d',
        rdzv_endpoint='localhost:0',
        max_restarts=1,
        monitor_interval=0.1,
        start_method='fork',
    )
    elastic_launch(launch, restarted)(folder)
    assert (folder / 'died').exists()
    found, expected = saved(folder), saved(whole)
    different = [k for k in found if not torch.equal(found[k], expected[k])]
    assert different == []


def test_running_statistics_are_the_mean_over_processes(tmp_path):
    """All processes see the same images, so their mean is that of each."""
    states = []
    for name in ('several', 'alone'):
        folder = tmp_path / name
        for part, count in (('labelled', 1), ('unlabelled', 1), ('val', 1)):
            write_images(folder / part, count, seed=count)
        segmentors = [toy_segmentor(norm=True) for _ in range(2)]

        def run(folder=folder, segmentors=segmentors):
            train(folder, segmentors=segmentors)

        if name == 'several':
            assert together(folder, run)[0] == [0, 0]
        else:
            run()
        states.append(saved(folder))
    keys = [key for key in states[1] if 'running_' in key]
    assert len(keys) == 8
    for key in keys:
        torch.testing.assert_close(states[0][key], states[1][key], msg=key)
