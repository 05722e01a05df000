"""Train a small pair for long; memory, files and processes must stay flat.

With workers, monitoring, checkpoints and validation. After a warm-up the
resident memory, the open files, the child processes and the segments of
shared memory are noted at even intervals.

    PYTHONPATH=.:tests python tests/campaigns/soak.py --iterations 20000
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook
from quiet import quicken
from toys import (
    labelled_cfg,
    toy_runner,
    unlabelled_cfg,
    val_settings,
    write_images,
)

LOOKS = 20


def resident():
    """Resident memory of this process and its children, MiB."""
    page = resource.getpagesize()
    total = 0
    for process in (os.getpid(), *children()):
        try:
            text = Path(f'/proc/{process}/statm').read_text()
        except FileNotFoundError:
            continue
        total += int(text.split()[1]) * page
    return total / 2**20


def children():
    path = Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children')
    return [int(word) for word in path.read_text().split()]


def segments():
    """Number of shared memory segments of this process and its workers."""
    shared = Path('/dev/shm')
    ours = tuple(f'torch_{p}_' for p in (os.getpid(), *children()))
    return sum(path.name.startswith(ours) for path in shared.iterdir())


class Look(Hook):
    priority = 'LOWEST'

    def __init__(self, interval):
        self.interval = interval
        self.rows = []

    def after_train_iter(self, runner, *args, **kwargs):
        if (runner.iter + 1) % self.interval:
            return
        row = (
            runner.iter + 1,
            resident(),
            len(os.listdir('/proc/self/fd')),
            len(children()),
            segments(),
        )
        self.rows.append(row)
        print('{}: {:.1f} MiB, {} files, {} workers, {} segments'.format(*row))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--iterations', type=int, default=20000)
    parser.add_argument('--workers', type=int, default=1)
    args = parser.parse_args()
    quicken()
    root = Path(tempfile.mkdtemp(prefix='soak_'))
    for name, count in (('labelled', 3), ('unlabelled', 5)):
        write_images(root / name, count, seed=count)
    look = Look(max(args.iterations // LOOKS, 1))
    every = max(args.iterations // 10, 1)
    runner = toy_runner(
        root,
        [look],
        train_dataloader=dict(
            batch_size=2,
            num_workers=args.workers,
            sampler=dict(type='SemiSegSampler'),
            dataset=dict(
                type='SemiSegDataset',
                labelled=labelled_cfg(root / 'labelled'),
                unlabelled=unlabelled_cfg(root / 'unlabelled'),
            ),
        ),
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=args.iterations,
            val_interval=every,
        ),
        custom_hooks=[
            dict(type='MutualEMAHook', momentum=0.99),
            dict(type='PseudoLabelMonitorHook', interval=50),
        ],
        default_hooks=dict(
            timer=None,
            logger=dict(type='LoggerHook', interval=50),
            interruption=dict(type='InterruptionHook'),
            checkpoint=dict(
                type='AtomicCheckpointHook',
                by_epoch=False,
                interval=every,
                max_keep_ckpts=2,
            ),
        ),
        log_processor=dict(by_epoch=False),
        **val_settings(root),
    )
    begin = time.monotonic()
    runner.train()
    seconds = time.monotonic() - begin
    rows = np.array(look.rows, float)
    # The logs of scalars grow by design; the first half is warm-up.
    late = rows[len(rows) // 2 :]
    slope = np.polyfit(late[:, 0], late[:, 1], 1)[0] * 1000
    print(
        f'{args.iterations} iterations, '
        f'{1000 * seconds / args.iterations:.1f} ms each; in the second half '
        f'{slope:+.3f} MiB in 1000 iterations'
    )
    steady = all(len(set(late[:, i])) == 1 for i in (2, 3))
    print('files and workers', 'are flat' if steady else 'CHANGE')
    print(f'segments: at most {int(rows[:, 4].max())}')
    raise SystemExit(not steady or slope > 1)


if __name__ == '__main__':
    main()
