"""Stands in for tools/train.py and tools/test.py in the tests of a suite.

Behaves as the name of its config says, and notes each call in calls.txt.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

part = Path(sys.argv[0]).stem
config = Path(sys.argv[1]).stem
options = dict(word.split('=') for word in sys.argv if '=' in word)
seed = int(options['randomness.seed'])
folder = Path(sys.argv[sys.argv.index('--work-dir') + 1])
resumed = '--resume' in sys.argv
words = [part, config, str(seed), *(['resumed'] if resumed else [])]
if '--launcher' in sys.argv:
    # Only the first process does the work.
    if os.environ['RANK'] != '0':
        sys.exit()
    words.append(f'of_{os.environ["WORLD_SIZE"]}')
with open('calls.txt', 'a') as calls:
    print(*words, os.environ['OMP_NUM_THREADS'], file=calls)


def log_iterations(*iterations):
    session = 'resumed' if resumed else 'first'
    path = folder / session / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({'iter': i, 'step': i, 'monitor/total_variation': i / 4})
        for i in iterations
    ]
    path.write_text('\n'.join(lines))


def save(iteration):
    checkpoint = folder / f'iter_{iteration}.pth'
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.touch()
    (folder / 'last_checkpoint').write_text(str(checkpoint.resolve()))


def wait_for(path):
    deadline = time.monotonic() + 20
    while not Path(path).exists():
        if time.monotonic() > deadline:
            sys.exit(f'{path} never came')
        time.sleep(0.005)


def train():
    if config == 'fails':
        print('line 1\nno such luck')
        sys.exit(3)
    if config == 'crashes_once' and not resumed:
        log_iterations(1, 2, 3)
        save(2)
        sys.exit('crashed')
    if config == 'hangs' and not resumed:
        sleeper = subprocess.Popen(['sleep', '60'])
        save(2)
        Path('pids.tmp').write_text(f'{os.getpid()} {sleeper.pid}')
        os.rename('pids.tmp', 'pids')
        sleeper.wait()
    if config == 'stubborn':
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path('pids.tmp').write_text(str(os.getpid()))
        os.rename('pids.tmp', 'pids')
        time.sleep(60)
    if config == 'meets':
        Path(f'here_{seed}').touch()
        wait_for(f'here_{1 - seed}')
    if config == 'watched':
        log_iterations(1, 2)
        wait_for('seen')
    if config != 'saves_nothing':
        save(4)
    if config.startswith('chooses'):
        best = 4 if config == 'chooses_the_last' else 3
        (folder / f'best_mIoU_iter_{best}.pth').touch()
    log_iterations(3)


def test():
    best = folder.name == 'test_best'
    checkpoint = 'best_mIoU_iter_3.pth' if best else 'iter_4.pth'
    assert sys.argv[2] == str(folder.parent / checkpoint)
    if config == 'chooses_and_fails' and best and not Path('again').exists():
        Path('again').touch()
        sys.exit(1)
    if config == 'fails_test_once' and not Path('again').exists():
        Path('again').touch()
        sys.exit(1)
    scores = dict(mIoU=40.0 + 2 * seed + best, mAcc=50.0)
    if config == 'mutual':
        scores['students.0/mIoU'] = 30.0 + seed
    path = folder / '20260101_000000' / '20260101_000000.json'
    if config != 'logs_nothing':
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(scores))
        if 'by_class' in config:
            iou = 10.0 * len(config) + seed + best
            head = '2026/01/01 00:00:00 - mmengine - INFO - '
            lines = [
                f'{head}per class results:',
                '|  Class  |  IoU  |  Acc  |',
                f'|  road  | {iou} | 50.0 |',
                f'{head}Iter(test) [2/2]    mIoU: 40',
            ]
            path.with_suffix('.log').write_text('\n'.join(lines))


train() if part == 'train' else test()
