"""Kill a training at random instants; resume it; compare bit for bit.

Half of the kills come at an instant that is uniform over the run, the other
half within a phase, each phase in turn. After each the run is resumed to its
end, and weights, optimisers, schedulers and scores must equal those of a run
that was left alone.

    python tests/campaigns/kill_and_resume.py --kills 200
"""

import argparse
import collections
import contextlib
import functools
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import torch
from quiet import fork, join, quicken
from toys import (
    toy_model_cfg,
    toy_runner,
    val_settings,
    write_toy_sets,
)

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.engine import StagedTrainLoop
from rml_mmseg.engine.hooks import AtomicCheckpointHook
from rml_mmseg.engine.loops.stage_files import StageFiles

ITERATIONS = 12
PHASES = ('starting', 'training', 'saving', 'validating', 'making the cache')
PHASES += ('between stages',)


def run(folder, resume=False):
    checkpoint = dict(
        type='AtomicCheckpointHook',
        by_epoch=False,
        interval=2,
        max_keep_ckpts=2,
        save_best='mIoU',
    )
    toy_runner(
        folder,
        model=toy_model_cfg(semi_train_cfg=dict(p0='stage')),
        default_hooks=dict(logger=None, timer=None, checkpoint=checkpoint),
        param_scheduler=[dict(type='PolyLR', power=0.9, by_epoch=False)],
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=ITERATIONS // 2,
            stages=2,
            burn_in_iters=2,
            val_interval=3,
        ),
        resume=resume,
        **val_settings(folder),
    ).train()


class Phases:
    """Tells the parent through a pipe which phase the run is in."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.now = 0

    def enter(self, name):
        self.now = PHASES.index(name)
        stamp = int(time.monotonic() * 1e6).to_bytes(8, 'big')
        os.write(self.pipe, bytes([self.now]) + stamp)

    def watch(self, owner, method, name, after=None):
        """Enter a phase with a method; after it, the one before or another."""
        original = getattr(owner, method)

        def watched(this, *args, **kwargs):
            before = PHASES[self.now]
            self.enter(name)
            result = original(this, *args, **kwargs)
            self.enter(after(this) if after else before)
            return result

        setattr(owner, method, watched)

    def watch_all(self):
        def after_iteration(loop):
            at_end = loop._iter % loop.iters_per_stage == 0
            return 'between stages' if at_end else 'training'

        self.watch(StagedTrainLoop, 'run_iter', 'training', after_iteration)
        self.watch(StagedTrainLoop, '_validate_if_due', 'validating')
        save = '_save_checkpoint_with_step'
        self.watch(AtomicCheckpointHook, save, 'saving')
        self.watch(StageFiles, 'begin', 'making the cache')
        self.watch(StageFiles, 'mend', 'making the cache')


def start(folder, resume=False):
    """A run in a process of its own, and the pipe that tells its phases."""
    reading, writing = os.pipe()

    def work():
        os.close(reading)
        phases = Phases(writing)
        phases.enter('starting')
        phases.watch_all()
        run(folder, resume)

    process = fork(work, folder / 'log.txt')
    os.close(writing)
    return process, reading


def read_phases(pipe):
    """All phases that a run went through: (name, seconds)."""
    content = bytearray()
    while block := os.read(pipe, 1 << 16):
        content += block
    os.close(pipe)
    return [
        (PHASES[content[i]], int.from_bytes(content[i + 1 : i + 9], 'big'))
        for i in range(0, len(content) - 8, 9)
    ]


def kill_at(folder, instant):
    """Kill a run some seconds after its start; return the phase it was in."""
    process, pipe = start(folder)
    time.sleep(instant)
    return finish(process, pipe)


def kill_in(folder, phase, number, delay):
    """Kill a run some seconds into the n-th occurrence of a phase."""
    process, pipe = start(folder)
    seen, content = [], b''
    wanted = PHASES.index(phase)
    while seen.count(wanted) < number:
        block = os.read(pipe, 9)
        if not block:
            break
        content += block
        seen = list(content[::9])
    time.sleep(delay)
    name = finish(process, pipe)
    return name or PHASES[seen[-1]]


def finish(process, pipe):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    code = join(process)
    phases = read_phases(pipe)
    if code == 0:
        return 'over'
    return phases[-1][0] if phases else None


def outcome(folder):
    """Results that a finished run left."""
    found = {}
    for path in sorted((folder / 'work').glob('*.pth')):
        content = torch.load(path, weights_only=SAFE_LOADING)
        for key in ('state_dict', 'optimizer', 'param_schedulers'):
            found[f'{path.name}/{key}'] = content.get(key)
        hub = content['message_hub']['runtime_info']
        found[f'{path.name}/best'] = str(hub.get('best_score'))
    return found


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def durations(phases):
    """How often each phase came, and its mean length in seconds."""
    times = collections.defaultdict(list)
    for (name, begin), (_, end) in zip(phases, phases[1:]):
        times[name].append((end - begin) / 1e6)
    return {k: (len(v), sum(v) / len(v)) for k, v in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    quicken()
    draw = random.Random(args.seed)
    root = Path(tempfile.mkdtemp(prefix='kills_'))

    def fresh(name):
        folder = root / name
        folder.mkdir()
        # The data set must exist before the training that reads it.
        write_toy_sets(folder)
        return folder

    warm_up = fresh('warm_up')
    assert join(fork(lambda: run(warm_up), warm_up / 'log.txt')) == 0
    whole = fresh('whole')
    begin = time.monotonic()
    process, pipe = start(whole)
    phases = read_phases(pipe)
    assert join(process) == 0, (whole / 'log.txt').read_text()
    length = time.monotonic() - begin
    expected, lengths = outcome(whole), durations(phases)
    assert expected
    print(f'a run of {ITERATIONS} iterations takes {length:.1f} s; phases:')
    for name, (count, mean) in lengths.items():
        print(f'  {name}: {count} times, {1000 * mean:.1f} ms each')

    killed, lost, different = collections.Counter(), [], []
    kill = -1
    while killed.total() < args.kills:
        kill += 1
        folder = fresh(f'kill_{kill}')
        if kill % 2:
            phase = PHASES[1:][kill // 2 % (len(PHASES) - 1)]
            count, mean = lengths.get(phase, (1, 0.0))
            number = draw.randint(1, count)
            where = kill_in(folder, phase, number, draw.uniform(0, mean))
        else:
            where = kill_at(folder, draw.uniform(0, length))
        if where == 'over':
            # The run ended before the kill: the machine has become faster.
            length *= 0.95
            shutil.rmtree(folder)
            continue
        killed[where or 'starting'] += 1
        log = folder / 'log.txt'
        code = join(fork(functools.partial(run, folder, True), log))
        if code:
            lost.append((kill, where, code))
            print(log.read_text()[-2000:])
        elif not equal(outcome(folder), expected):
            different.append((kill, where))
        if not code:
            shutil.rmtree(folder)
        if killed.total() % 20 == 0:
            print(f'{killed.total()} kills: {dict(killed)}', flush=True)
    print(f'killed while: {dict(killed)}')
    print(f'{len(lost)} runs lost {lost}')
    print(f'{len(different)} runs with another end {different}')
    shutil.rmtree(root, ignore_errors=True)
    raise SystemExit(bool(lost or different))


if __name__ == '__main__':
    main()
