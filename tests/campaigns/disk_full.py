"""Let the disk run full in a training; the checkpoint before must be whole.

The work folder is a small file system in memory, of another size each time,
so that it is full at another place. The run must end with an error that
names the file and the space that is left; then the disk is made larger and
the run is resumed, and must end as one that was left alone. Mounting needs
the rights of an administrator.

    PYTHONPATH=.:tests python tests/campaigns/disk_full.py --runs 20
"""

import argparse
import collections
import functools
import subprocess
import tempfile
from pathlib import Path

from kill_and_resume import equal, outcome, run
from quiet import fork, join, quicken

from rml_mmseg.engine.whole_checkpoint import candidates, check_checkpoint


def mount(folder, kib, *options):
    settings = ','.join([f'size={kib}k', *options])
    command = ['mount', '-t', 'tmpfs', '-o', settings, 'tmpfs', str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def attempt(folder, kib, expected):
    """Run with ``kib`` of disk space; return how it ended and if correctly."""
    work = folder / 'work'
    work.mkdir()
    assert mount(work, kib)
    log = folder / 'log.txt'
    try:
        code = join(fork(functools.partial(run, folder), log))
        if code == 0:
            return 'enough space', equal(outcome(folder), expected)
        error = log.read_text().strip().splitlines()[-1]
        named = str(work) in error and 'bytes free' in error
        if not named:
            return f'unnamed: {error}', False
        paths = candidates(str(work))
        for path in paths:
            check_checkpoint(path)
        mount(work, 1 << 16, 'remount')
        code = join(fork(functools.partial(run, folder, True), log))
        good = code == 0 and equal(outcome(folder), expected)
        what = error.split("'")[1].removeprefix(str(work))
        kind = what.strip('/').split('_')[0].split('/')[0]
        return f'full at {kind}, {len(paths)} checkpoints whole', good
    finally:
        subprocess.run(['umount', str(work)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=20)
    args = parser.parse_args()
    quicken()
    root = Path(tempfile.mkdtemp(prefix='full_'))
    probe = root / 'probe'
    probe.mkdir()
    if not mount(probe, 64):
        print('skipped: a file system in memory cannot be mounted here')
        return 0
    subprocess.run(['umount', str(probe)], check=True)
    whole = root / 'whole'
    whole.mkdir()
    assert join(fork(functools.partial(run, whole), root / 'log')) == 0
    expected = outcome(whole)
    files = [path for path in (whole / 'work').rglob('*') if path.is_file()]
    need = sum(path.stat().st_size for path in files) // 1024
    print(f'a run needs {need} KiB in {len(files)} files')
    ends, bad = collections.Counter(), []
    for i in range(args.runs):
        folder = root / f'run_{i}'
        folder.mkdir()
        kib = int(need * (0.15 + i / args.runs))
        end, good = attempt(folder, kib, expected)
        ends[end] += 1
        if not good:
            bad.append((kib, end))
    for end, count in sorted(ends.items()):
        print(f'{count} times {end}')
    print(f'{len(bad)} runs lost or different {bad}')
    return int(bool(bad))


if __name__ == '__main__':
    raise SystemExit(main())
