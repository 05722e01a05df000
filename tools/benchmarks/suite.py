r"""Train and test a grid of methods and seeds, and tabulate the results.

When run again with the same arguments, it continues where it was stopped.
The results are in OUT/results.md and OUT/results.json::

    python tools/benchmarks/suite.py tools/benchmarks/suites/camvid_cpu.py \
        --seeds 0 1 2 --jobs 2
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

import torch

from rml_mmseg.datasets.whole_file import write_whole
from rml_mmseg.experiments.suites import (
    SuiteRun,
    SuiteScheduler,
    cfg_options,
    check_files,
    check_runs,
    collect_results,
    find_targets,
    load_suite,
    log_end,
    plan_runs,
    recorded_seeds,
    shown_command,
    to_markdown,
)

TOOLS = Path(__file__).resolve().parents[1]
GIGABYTE = 1e9
EPILOG = """\
A suite file is a config of mmengine with:
  methods      dict by name of dicts with
    config     file, or a dict of files by split
    options    settings of the config to override, as in --cfg-options
    splits     those to run it on; default: all of the suite
    title      name in the table; default: that of the method
  options      settings for all methods; those of a split override them, and
               those of a method override both
  splits       list of names, or a dict of options by name
  seeds        list of numbers; default: [0]
  checkpoints  which to test: 'last', 'best' or both; default: ['last']
  baseline     method with which the others are compared
  processes    per run, one on each GPU, each with the batch of the config;
               default: 1
In strings of options {seed} and {split} stand for those of the run, and
{cwd} for the current folder.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('suite', type=Path, help='suite file')
    parser.add_argument(
        '--out',
        type=Path,
        help='folder for runs and results; default: '
        'work_dirs/suites/NAME_OF_THE_SUITE',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        help='runs at a time; default: as many as the GPUs allow, or '
        'one without GPUs',
    )
    parser.add_argument(
        '--seeds', type=int, nargs='+', help="instead of the suite's"
    )
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='PATTERN',
        help='run only these methods, or METHOD/SPLIT/seed_N; * matches '
        'anything',
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='print what would be run, and do nothing',
    )
    parser.add_argument(
        '--report-every',
        type=float,
        default=30.0,
        help='seconds between lines of progress; default: %(default)s',
    )
    args = parser.parse_args(argv)
    if args.jobs is not None and args.jobs < 1:
        parser.error(f'--jobs must be 1 or more, got {args.jobs}')
    if args.out is None:
        args.out = Path('work_dirs', 'suites', args.suite.stem)
    return args


def choose_runs(
    runs: Sequence[SuiteRun], patterns: Sequence[str] | None
) -> list[SuiteRun]:
    """Runs whose name or method matches at least one pattern.

    Raises:
        ValueError: If a pattern matches no run.
    """
    if patterns is None:
        return list(runs)
    for pattern in patterns:
        if not any(matches(run, pattern) for run in runs):
            raise ValueError(
                f'--only {pattern} matches none of '
                f'{", ".join(run.name for run in runs)}'
            )
    return [run for run in runs if any(matches(run, p) for p in patterns)]


def matches(run: SuiteRun, pattern: str) -> bool:
    """Whether a pattern matches a run's name or method."""
    return any(fnmatchcase(name, pattern) for name in (run.name, run.method))


def make_slots(jobs: int | None, processes: int = 1) -> list[dict[str, str]]:
    """Environment variables of each slot for a run.

    Args:
        jobs (int, optional): Number of runs at a time; by default as many
            as there are GPUs for, or one without GPUs.
        processes (int): Processes per run, one per GPU. Defaults to 1.

    Raises:
        ValueError: If a run has more processes than there are GPUs.
    """
    count = torch.cuda.device_count()
    if count == 0:
        # Several runs on a CPU must not each use all of its cores.
        return [{'OMP_NUM_THREADS': '1'} for _ in range(jobs or 1)]
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    gpus = visible.split(',') if visible else [str(i) for i in range(count)]
    if processes > count:
        raise ValueError(
            f'processes={processes} of the suite needs as many GPUs, but '
            f'there are {count}'
        )
    shares = [
        ','.join(gpus[i : i + processes])
        for i in range(0, count - processes + 1, processes)
    ]
    return [
        {'CUDA_VISIBLE_DEVICES': shares[i % len(shares)]}
        for i in range(jobs or len(shares))
    ]


def git_commit() -> str:
    """Commit of the checkout, with -dirty appended if it was changed."""
    command = ['git', 'describe', '--always', '--dirty', '--abbrev=40']
    try:
        done = subprocess.run(
            [*command, '--exclude=*'],
            cwd=TOOLS,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return 'unknown'
    return done.stdout.strip() or 'unknown'


def lock(folder: Path) -> IO[str]:
    """Lock a folder, so that only one suite at a time works in it.

    The processes of the runs inherit the lock, so runs that outlive a killed
    suite are not started a second time.

    Raises:
        RuntimeError: If another suite, or such a run, holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / '.lock').open('w')
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RuntimeError(
            f'another suite, or a run of a killed one, is running in '
            f'{folder}. Wait for it, or choose another --out'
        ) from None
    return file


def write_results(args: argparse.Namespace, suite: dict) -> str:
    """Write results.json and results.md of all runs in the folder.

    Returns:
        str: Content of results.md.
    """
    seeds = {*recorded_seeds(suite, args.out), *(args.seeds or [])}
    planned = set(suite['seeds'] if args.seeds is None else args.seeds)
    runs = [
        run
        for run in plan_runs(suite, args.out, sorted(seeds))
        if run.seed in planned or run.record
    ]
    baseline = suite['baseline']
    rows = collect_results(runs, baseline)
    content = dict(suite=str(args.suite), baseline=baseline, rows=rows)
    title = baseline and suite['methods'][baseline]['title']
    table = to_markdown(args.suite.stem, rows, title)
    for name, text in (
        ('results.json', json.dumps(content, indent=1) + '\n'),
        ('results.md', table),
    ):
        write_whole(str(args.out / name), text.encode())
    return table


def print_plan(
    runs: Sequence[SuiteRun], slots: Sequence[dict[str, str]]
) -> None:
    """Print the state and commands of runs."""
    for run in runs:
        trained = run.status in ('trained', 'finished')
        state = 'resume' if run.checkpoint else 'train'
        if trained:
            state = 'test' if run.untested else 'skip'
        print(f'# {state} {run.name}: {run.target or "?"} iterations')
        commands = [('test', run.test_arguments(n)) for n in run.untested]
        if not trained:
            commands.insert(0, ('train', run.train_arguments()))
        for part, arguments in commands:
            script = TOOLS / f'{part}.py'
            command = shown_command(script, arguments, slots[0], run.processes)
            print(command)


def print_failures(scheduler: SuiteScheduler) -> None:
    """Print why runs failed, with the ends of their logs."""
    for name, (reason, log) in scheduler.failures.items():
        print(f'\n{name} failed: {reason}', file=sys.stderr)
        if log is not None:
            print(f'the end of {log}:', file=sys.stderr)
            print(*log_end(log), sep='\n', file=sys.stderr)


def print_disk_use(out: Path) -> None:
    """Print the size of large checkpoints, and how to delete them.

    Args:
        out (Path): Folder of the suite's results.
    """
    files = filter(Path.is_file, out.rglob('*.pth'))
    size = sum(path.stat().st_size for path in files)
    if size > GIGABYTE:
        print(
            f'\nthe checkpoints in {out} take {size / GIGABYTE:.1f} GB; '
            'only unfinished runs still need theirs, to resume. To delete '
            'all, once all runs are finished:\n'
            f"find {shlex.quote(str(out))} -name '*.pth' -delete"
        )


def run_suite(args: argparse.Namespace) -> int:
    """Run a suite with command-line arguments.

    Returns:
        int: Exit code: 0, 1 if a run failed, 2 if nothing could be run, 128
        plus the number of the signal that stopped the suite.
    """
    try:
        suite = load_suite(args.suite)
        slots = make_slots(args.jobs, suite['processes'])
        runs = choose_runs(plan_runs(suite, args.out, args.seeds), args.only)
        check_files(runs)
        runs = find_targets(runs)
        for run in runs:
            cfg_options(run.options)
        check_runs(runs)
        if args.dry_run:
            print_plan(runs, slots)
            return 0
        held = lock(args.out)
    except (OSError, RuntimeError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    with held:
        scheduler = SuiteScheduler(
            runs,
            tools=TOOLS,
            slots=slots,
            commit=git_commit(),
            on_result=lambda: write_results(args, suite),
            keep_open=[held.fileno()],
            report_every=args.report_every,
        )
        scheduler.run()
        print(f'\n{write_results(args, suite)}')
        print_disk_use(args.out)
    print_failures(scheduler)
    if scheduler.signals:
        print('stopped; run it again to continue', file=sys.stderr)
        return 128 + scheduler.signals[0]
    return 1 if scheduler.failures else 0


def main() -> None:
    """Run the tool."""
    sys.exit(run_suite(parse_args()))


if __name__ == '__main__':
    main()
