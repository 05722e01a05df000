"""tools/benchmarks/suite.py, with a trainer that trains nothing."""

import importlib.util
import json
import os
import re
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from rml_mmseg.experiments.suites import (
    Job,
    SuiteScheduler,
    find_targets,
    load_suite,
    plan_runs,
    suite_scheduler,
)
from rml_mmseg.experiments.suites import job as job_module
from rml_mmseg.experiments.suites.suite_file import METHOD_KEYS

ROOT = Path(__file__).resolve().parents[2]
OUT = Path('work_dirs/suites/grid')


def load_tool():
    path = ROOT / 'tools' / 'benchmarks' / 'suite.py'
    spec = importlib.util.spec_from_file_location('suite', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


suite = load_tool()


@pytest.fixture
def run_suite(tmp_path, monkeypatch):
    """Function that runs a suite whose methods have configs of their name."""
    monkeypatch.chdir(tmp_path)
    tools = tmp_path / 'tools'
    tools.mkdir()
    for part in ('train', 'test'):
        source = Path(__file__).with_name('suite_trainer.py')
        shutil.copy(source, tools / f'{part}.py')
    monkeypatch.setattr(suite, 'TOOLS', tools)
    monkeypatch.setattr(suite, 'git_commit', lambda: 'c0ffee')
    monkeypatch.setattr(suite.torch.cuda, 'device_count', lambda: 0)
    quick = partial(SuiteScheduler, poll=0.01, grace=0.2)
    monkeypatch.setattr(suite, 'SuiteScheduler', quick)

    def run(methods, *arguments, options=None, extra=''):
        grid = {}
        for name in methods:
            config = Path(f'{name}.py')
            if not config.exists():
                config.write_text('train_cfg = dict(max_iters=4)')
            grid[name] = dict(config=f'{name}.py')
        text = f'methods = {grid!r}\noptions = {options or {}!r}\n{extra}'
        Path('grid.py').write_text(text)
        args = suite.parse_args(['grid.py', *map(str, arguments)])
        return suite.run_suite(args)

    return run


def write_suite(extra):
    path = Path('other.py')
    path.write_text(f"methods = dict(plain=dict(config='plain.py'))\n{extra}")
    return path


def calls():
    path = Path('calls.txt')
    return path.read_text().splitlines() if path.exists() else []


def record(name, seed=0):
    return json.loads((OUT / name / f'seed_{seed}/run.json').read_text())


def test_grid_ends_in_a_table(run_suite, capsys):
    assert run_suite(['plain', 'mutual'], '--seeds', 0, 1) == 0

    assert calls() == [
        f'{part} {method} {seed} 1'
        for seed in (0, 1)
        for method in ('plain', 'mutual')
        for part in ('train', 'test')
    ]
    rows = json.loads((OUT / 'results.json').read_text())['rows']
    assert [row['method'] for row in rows] == ['plain', 'mutual']
    summary = rows[1]['summary']
    # 40 and 42: the mean is 41, the variance (1 + 1) / (2 - 1).
    assert summary['mIoU'] == dict(
        mean=41.0, std=pytest.approx(2**0.5), count=2
    )
    assert summary['students.0/mIoU']['mean'] == 30.5
    assert summary['iterations'] == dict(mean=4.0, std=0.0, count=2)
    assert rows[1]['runs'][1]['scores']['mAcc'] == 50.0
    table = (OUT / 'results.md').read_text()
    assert '| mutual | 41.00 ± 1.41 | 30.50 ± 0.71 | 4 |' in table
    assert '| plain | 41.00 ± 1.41 | – | 4 |' in table
    assert 'Git commits: c0ffee\n' in table
    assert (
        'OMP_NUM_THREADS=1 python tools/test.py mutual.py '
        f'{OUT}/mutual/seed_1/iter_4.pth '
        f'--work-dir {OUT}/mutual/seed_1/test '
        '--cfg-options randomness.seed=1\n'
    ) in table
    assert table in capsys.readouterr().out


def test_finished_runs_are_skipped(run_suite, capsys):
    run_suite(['plain'])
    before = record('plain')
    assert run_suite(['plain', 'mutual'], '--seeds', 0, 1) == 0
    assert [c for c in calls() if c.startswith('train plain 0')] == [
        'train plain 0 1'
    ]
    assert len(calls()) == 2 * 4
    assert record('plain') == before
    assert 'skip plain/seed_0: finished before' in capsys.readouterr().out


def test_failure_stops_no_other_run(run_suite, capsys):
    assert run_suite(['fails', 'plain']) == 1
    assert calls() == ['train fails 0 1', 'train plain 0 1', 'test plain 0 1']
    assert record('fails')['status'] == 'begun'
    assert record('plain')['status'] == 'finished'
    error = capsys.readouterr().err
    assert 'fails/seed_0 failed: train.py: exit code 3\n' in error
    assert error.endswith('seed_0/train.log:\nline 1\nno such luck\n')
    table = (OUT / 'results.md').read_text()
    assert '| fails | – | – | – | 0 of 1, 1 failed |' in table


def test_failed_runs_are_told_from_those_that_wait(run_suite):
    run_suite(['fails', 'plain'], '--only', 'fails')
    failure = 'train.py: exit code 3: no such luck'
    assert record('fails')['failure'] == failure
    rows = json.loads((OUT / 'results.json').read_text())['rows']
    first, second = (row['runs'][0] for row in rows)
    assert (first['status'], first['failure']) == ('failed', failure)
    assert second['status'] is None
    table = (OUT / 'results.md').read_text()
    assert f'| fails | 0 | – | – | 0 | {failure} |' in table
    run_suite(['fails'])
    assert [c.split()[0] for c in calls()] == ['train', 'train']


def test_failure_is_forgotten_once_a_run_goes_well(run_suite):
    run_suite(['crashes_once'])
    assert 'crashed' in record('crashes_once')['failure']
    run_suite(['crashes_once'])
    assert 'failure' not in record('crashes_once')
    assert 'Failed' not in (OUT / 'results.md').read_text()


def test_only_the_end_of_a_log_is_told(run_suite, capsys):
    log = OUT / 'fails/seed_0/train.log'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(f'old {i}\n' for i in range(30)))
    run_suite(['fails'])
    lines = capsys.readouterr().err.splitlines()
    # 20 lines: 18 of the previous log, two of this run.
    assert lines[-20] == 'old 12'
    assert 'old 11' not in lines


def test_run_with_a_checkpoint_is_resumed(run_suite):
    assert run_suite(['crashes_once']) == 1
    spent = record('crashes_once')['seconds']
    assert run_suite(['crashes_once']) == 0
    assert calls() == [
        'train crashes_once 0 1',
        'train crashes_once 0 resumed 1',
        'test crashes_once 0 1',
    ]
    end = record('crashes_once')
    assert end['seconds'] > spent > 0
    assert end['iterations'] == 4
    checkpoint = OUT / 'crashes_once/seed_0/iter_2.pth'
    resumes = [f'--resume {checkpoint} ' in c for c in end['commands']]
    assert resumes == [False, True, False]


def test_trained_run_is_only_tested(run_suite):
    assert run_suite(['fails_test_once']) == 1
    assert record('fails_test_once')['status'] == 'trained'
    assert run_suite(['fails_test_once']) == 0
    assert [c.split()[0] for c in calls()] == ['train', 'test', 'test']


BOTH = "checkpoints = ['last', 'best']"
SAVE_BEST = {'default_hooks.checkpoint.save_best': 'mIoU'}


def test_both_checkpoints_are_tested(run_suite, capsys):
    code = run_suite(['chooses'], options=SAVE_BEST, extra=BOTH)
    assert code == 0
    assert [c.split()[0] for c in calls()] == ['train', 'test', 'test']
    end = record('chooses')
    assert (end['scores']['mIoU'], end['best_scores']['mIoU']) == (40, 41)
    assert end['best_iteration'] == 3
    assert end['status'] == 'finished'
    # The row of the table that is for the last checkpoint.
    assert 'finished chooses/seed_0: mIoU 40.00' in capsys.readouterr().out
    assert (
        '| chooses | 0 | 40.00 | 41.00 | 3 |'
        in (OUT / 'results.md').read_text()
    )


def test_the_ious_of_classes_are_of_the_last_checkpoint(run_suite):
    run_suite(['chooses_by_class'], options=SAVE_BEST, extra=BOTH)
    end = record('chooses_by_class')
    assert end['best_scores']['mIoU'] == end['scores']['mIoU'] + 1
    assert end['class_ious'] == {'road': 160.0}


def test_the_last_checkpoint_is_not_tested_again_as_the_best(run_suite):
    run_suite(['chooses_the_last'], options=SAVE_BEST, extra=BOTH)
    assert [c.split()[0] for c in calls()] == ['train', 'test']
    end = record('chooses_the_last')
    assert end['best_scores'] == end['scores']
    assert (end['best_iteration'], end['status']) == (4, 'finished')
    assert end['curves'] == {'coupling': {'3': 0.75}}


def test_only_the_test_that_failed_is_made_again(run_suite):
    for code in (1, 0):
        found = run_suite(['chooses_and_fails'], options=SAVE_BEST, extra=BOTH)
        assert found == code
    assert [c.split()[0] for c in calls()] == ['train', 'test', 'test', 'test']
    assert record('chooses_and_fails')['best_scores']['mIoU'] == 41


def test_a_best_checkpoint_that_is_asked_for_later(run_suite):
    run_suite(['chooses'], options=SAVE_BEST)
    assert run_suite(['chooses'], options=SAVE_BEST, extra=BOTH) == 0
    assert [c.split()[0] for c in calls()] == ['train', 'test', 'test']
    assert record('chooses')['best_scores']['mIoU'] == 41


def test_no_best_checkpoint_is_a_failure(run_suite, capsys):
    assert run_suite(['plain'], options=SAVE_BEST, extra=BOTH) == 1
    assert 'left no best_mIoU_iter_N.pth' in capsys.readouterr().err
    assert record('plain')['scores']['mIoU'] == 40


def test_paths_are_shown_below_the_current_folder(run_suite, capsys):
    options = {'model.b': '{cwd}/x_{seed}.txt'}
    run_suite(['plain'], '--dry-run', options=options)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith(
        ' --cfg-options model.b="$PWD"/x_0.txt randomness.seed=0'
    )


def test_the_iou_of_each_class_is_noted(run_suite):
    run_suite(
        ['by_class', 'by_class_2', 'plain'], extra="baseline = 'by_class'"
    )
    assert record('by_class_2')['class_ious'] == {'road': 100.0}
    assert 'class_ious' not in record('plain')
    table = (OUT / 'results.md').read_text()
    assert '| Class | by_class | by_class_2 |\n' in table
    assert '\n| road | 80.0 | +20.0 |\n' in table


@pytest.mark.parametrize(
    ('config', 'reason'),
    [('logs_nothing', 'LoggerHook'), ('saves_nothing', 'last_checkpoint')],
)
def test_run_without_output_failed(run_suite, capsys, config, reason):
    assert run_suite([config]) == 1
    assert reason in capsys.readouterr().err
    assert record(config)['status'] != 'finished'


@pytest.mark.parametrize('dry', [[], ['--dry-run']])
def test_runs_of_other_settings_are_refused(run_suite, capsys, dry):
    run_suite(['plain'], options={'model.a': 1, 'model.b': 5})
    table = (OUT / 'results.md').read_text()
    capsys.readouterr()
    options = {'model.b': 5, 'model.a': 2, 'model.c': True}
    assert run_suite(['new', 'plain'], *dry, options=options) == 2
    assert len(calls()) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err == (
        f'error: {OUT}/plain/seed_0 was started with other settings: '
        'model.a was 1, is 2; model.c was unset, is True. '
        'Choose another --out, or delete the folder\n'
    )
    # The table of what was made is kept.
    assert (OUT / 'results.md').read_text() == table


def test_scores_of_other_settings_are_not_taken(run_suite):
    run_suite(['plain', 'mutual'], options={'model.a': 1})
    shutil.rmtree(OUT / 'mutual')
    changed = {'model.a': 2}
    methods = ['plain', 'mutual']
    assert run_suite(methods, '--only', 'mutual', options=changed) == 0
    table = (OUT / 'results.md').read_text()
    assert '| plain | – | – | – | – | 0 of 1 |' in table


@pytest.mark.parametrize('dry', [[], ['--dry-run']])
def test_all_missing_files_are_named_before_anything_is_trained(
    run_suite, tmp_path, capsys, dry
):
    Path('there_0.txt').touch()
    options = {LIST: '{cwd}/there_{seed}.txt'}
    extra = "methods['gone'] = dict(config='gone.py')"
    arguments = ['--seeds', 0, 1, 2, *dry]
    code = run_suite(['plain', 'b'], *arguments, options=options, extra=extra)
    assert code == 2
    assert calls() == []
    assert not OUT.exists()
    assert capsys.readouterr().err == (
        f'error: no such files, relative to {tmp_path}:\n'
        'config gone.py, of gone/seed_0 and 2 more\n'
        f'list {tmp_path}/there_1.txt, option {LIST}, of plain/seed_1 '
        'and 1 more\n'
        f'list {tmp_path}/there_2.txt, option {LIST}, of plain/seed_2 '
        'and 1 more\n'
    )


def test_what_is_not_done_needs_no_files(with_files):
    with_files()
    Path('list.txt').unlink()
    gone = "methods['gone'] = dict(config='gone.py')"
    assert with_files('--only', 'plain', extra=gone) == 0
    assert len(calls()) == 2


BASED = "_base_ = ['base.py']\ntrain_cfg = dict(max_iters=4)"
LIST = 'train_dataloader.dataset.ann_file'


@pytest.fixture
def with_files(run_suite):
    """Function that runs a suite whose config has a base, and a list."""
    Path('plain.py').write_text(BASED)
    Path('base.py').write_text('lr = 1')
    Path('list.txt').write_text('a')
    options = {LIST: '{cwd}/list.txt', 'model.a': 1}
    return partial(run_suite, ['plain'], options=options)


@pytest.mark.parametrize(
    ('file', 'text', 'named'),
    [
        ('base.py', 'lr = 2', 'config plain.py (or a base of it)'),
        ('plain.py', BASED + '\nb = 1', 'config plain.py (or a base of it)'),
        ('list.txt', 'b', f'list of {LIST}'),
    ],
)
def test_runs_of_files_that_changed_are_refused(
    with_files, capsys, file, text, named
):
    with_files()
    table = (OUT / 'results.md').read_text()
    Path(file).write_text(text)
    capsys.readouterr()
    assert with_files() == 2
    assert len(calls()) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err == (
        f'error: {OUT}/plain/seed_0: the content of the {named} has changed '
        'since it was started. Undo the change, choose another --out, or '
        'delete the folder; if the change does not matter, delete "digests" '
        'from its run.json\n'
    )
    assert (OUT / 'results.md').read_text() == table


@pytest.mark.parametrize(
    'noted', [{}, dict(digests={'config': '0123456789abcdef'})]
)
def test_runs_without_a_digest_that_is_known_are_taken(with_files, noted):
    """Records from before there were digests, or with unknown ones."""
    with_files()
    path = OUT / 'plain/seed_0/run.json'
    before = {k: v for k, v in record('plain').items() if k != 'digests'}
    before.update(noted)
    path.write_text(json.dumps(before))
    Path('base.py').write_text('lr = 2')
    assert with_files() == 0
    assert len(calls()) == 2
    assert record('plain') == before


def test_what_does_not_count_may_change(with_files):
    with_files()
    # An option overrides the new value, and comments are not settings.
    Path('base.py').write_text('lr = 1  # small\nmodel = dict(a=3)')
    assert with_files() == 0
    assert len(calls()) == 2


def test_config_that_changes_while_others_run(run_suite, monkeypatch):
    Path('second.py').write_text('train_cfg = dict(max_iters=4)')
    run_suite(['second', 'first'], '--only', 'second')
    path = OUT / 'second/seed_0/run.json'
    path.write_text(path.read_text().replace('finished', 'begun'))
    say = suite_scheduler.say

    def change(text):
        say(text)
        if 'finished first' in text:
            Path('second.py').write_text('train_cfg = dict(max_iters=')

    monkeypatch.setattr(suite_scheduler, 'say', change)
    assert run_suite(['first', 'second', 'third']) == 1
    assert [c.split()[1] for c in calls() if c.startswith('train')] == [
        *('second', 'first', 'third')
    ]


def test_much_disk_that_checkpoints_take_is_told(run_suite, capsys):
    run_suite(['plain'])
    assert 'GB' not in capsys.readouterr().out
    with (OUT / 'plain/seed_0/iter_4.pth').open('r+b') as file:
        file.truncate(2_340_000_000)  # sparse: takes no disk here
    run_suite(['plain'])
    out = capsys.readouterr().out
    assert out.count(f'the checkpoints in {OUT} take 2.3 GB') == 1
    assert out.endswith(f"\nfind {OUT} -name '*.pth' -delete\n")
    # The command is safe: a run without its checkpoint stays finished.
    (OUT / 'plain/seed_0/iter_4.pth').unlink()
    assert run_suite(['plain']) == 0
    assert len(calls()) == 2


def test_help_names_all_keys_of_a_suite(capsys):
    with pytest.raises(SystemExit):
        suite.parse_args(['--help'])
    text = capsys.readouterr().out
    keys = {*load_suite(ROOT / 'tools/benchmarks/suites/camvid_cpu.py')}
    for key in keys | METHOD_KEYS:
        assert re.search(rf'^ +{key}  +\w', text, re.MULTILINE), key


def test_as_many_runs_at_a_time_as_jobs(run_suite):
    # Each of the two waits until the other is there.
    assert run_suite(['meets'], '--seeds', 0, 1, '--jobs', 2) == 0


def test_gpus_are_shared_out(monkeypatch):
    monkeypatch.setattr(suite.torch.cuda, 'device_count', lambda: 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    devices = [slot['CUDA_VISIBLE_DEVICES'] for slot in suite.make_slots(3)]
    assert devices == ['0', '1', '0']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7')
    assert suite.make_slots(None) == [
        {'CUDA_VISIBLE_DEVICES': '5'},
        {'CUDA_VISIBLE_DEVICES': '7'},
    ]


def test_gpus_of_a_run_in_several_processes(monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    monkeypatch.setattr(suite.torch.cuda, 'device_count', lambda: 5)
    slots = suite.make_slots(None, processes=2)
    devices = [slot['CUDA_VISIBLE_DEVICES'] for slot in slots]
    assert devices == ['0,1', '2,3']
    with pytest.raises(ValueError, match='processes=6.*there are 5'):
        suite.make_slots(None, processes=6)
    monkeypatch.setattr(suite.torch.cuda, 'device_count', lambda: 0)
    assert suite.make_slots(None, 2) == [{'OMP_NUM_THREADS': '1'}]


def test_runs_in_two_processes(run_suite, capsys):
    assert run_suite(['plain'], extra='processes = 2') == 0
    assert calls() == ['train plain 0 of_2 1', 'test plain 0 of_2 1']
    found = record('plain')
    assert found['processes'] == 2
    assert found['commands'][0] == (
        'OMP_NUM_THREADS=1 python -m torch.distributed.run --standalone '
        '--nproc_per_node=2 tools/train.py plain.py --work-dir '
        f'{OUT}/plain/seed_0 --launcher pytorch --cfg-options '
        'randomness.seed=0'
    )
    # Twice as many images a step are another run.
    capsys.readouterr()
    assert run_suite(['plain']) == 2
    assert 'processes was 2, is 1' in capsys.readouterr().err
    with pytest.raises(ValueError, match='processes must be .* got 0'):
        load_suite(write_suite('processes = 0'))


def test_processes_of_torchrun_are_killed_with_it(tmp_path):
    script = tmp_path / 'sleeps.py'
    script.write_text(
        'import os, pathlib, time\n'
        'path = pathlib.Path(__file__).with_name("pid_" + os.environ["RANK"])'
        '\npath.write_text(str(os.getpid()))\ntime.sleep(60)\n'
    )
    run = SimpleNamespace(
        folder=tmp_path, record={}, saved_iteration=0, processes=2
    )
    job = Job(run, 'train', script, [], {'OMP_NUM_THREADS': '1'})
    paths = [tmp_path / f'pid_{rank}' for rank in (0, 1)]
    deadline = time.monotonic() + 60
    while not all(path.exists() and path.read_text() for path in paths):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = [int(path.read_text()) for path in paths]
    assert not any(map(gone, pids))
    job.send(signal.SIGKILL)
    job.process.wait()
    deadline = time.monotonic() + 10
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_torchrun_alone_passes_a_signal_on(tmp_path, monkeypatch):
    monkeypatch.setattr(job_module, 'descendants', lambda pid: [8])
    sent = []
    monkeypatch.setattr(os, 'kill', lambda *args: sent.append(('one', *args)))
    monkeypatch.setattr(
        os, 'killpg', lambda *args: sent.append(('group', *args))
    )
    for processes in (1, 2):
        job = Job.__new__(Job)
        job.run = SimpleNamespace(processes=processes)
        job.process = SimpleNamespace(pid=7)
        job.send(signal.SIGTERM)
        job.send(signal.SIGKILL)
    assert sent == [
        ('group', 7, signal.SIGTERM),
        ('group', 7, signal.SIGKILL),
        ('one', 7, signal.SIGTERM),
        ('one', 7, signal.SIGKILL),
        ('one', 8, signal.SIGKILL),
    ]


def gone(pid):
    # A process whose parent has died may wait as a zombie for init.
    try:
        return ') Z ' in Path(f'/proc/{pid}/stat').read_text()
    except FileNotFoundError:
        return True


def signal_when(path, *numbers):
    """Thread that sends signals to this process once a file is there."""

    def wait_and_send():
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    return thread


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_processes(run_suite, tmp_path, capsys, number):
    before = signal.getsignal(number)
    thread = signal_when(tmp_path / 'pids', number)
    code = run_suite(['hangs', 'plain'])
    thread.join()
    assert code == 128 + number
    assert signal.getsignal(number) is before
    pids = (tmp_path / 'pids').read_text().split()
    assert len(pids) == 2
    deadline = time.monotonic() + 5
    while not all(map(gone, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert all(map(gone, pids))
    assert calls() == ['train hangs 0 1']
    assert record('hangs')['seconds'] > 0
    captured = capsys.readouterr()
    assert f'{number.name}: stopping 1 processes' in captured.out
    assert 'failed' not in captured.err

    assert run_suite(['hangs', 'plain']) == 0
    assert calls()[1] == 'train hangs 0 resumed 1'


@pytest.mark.parametrize(('signals', 'grace'), [(1, 0.2), (2, 60)])
def test_process_that_stays_is_killed(
    run_suite, tmp_path, monkeypatch, signals, grace
):
    quick = partial(SuiteScheduler, poll=0.01, grace=grace)
    monkeypatch.setattr(suite, 'SuiteScheduler', quick)
    thread = signal_when(tmp_path / 'pids', *[signal.SIGINT] * signals)
    began = time.monotonic()
    assert run_suite(['stubborn']) == 130
    thread.join()
    assert time.monotonic() - began < 20
    assert gone((tmp_path / 'pids').read_text())


def test_progress_is_told(run_suite, capsys, monkeypatch):
    lines = []

    def say(text):
        lines.append(text)
        if 'watched/seed_0 2/4' in text:
            Path('seen').touch()

    monkeypatch.setattr(suite_scheduler, 'say', say)
    run_suite(['watched'], '--seeds', 0, 1, '--report-every', 0)
    lines = [line for line in lines if 'watched/seed_0 2/4' in line]
    assert lines[0].startswith('0/2 finished, 0 failed, ETA 0:00:0')


def test_tests_are_part_of_the_time_that_is_left(run_suite):
    run_suite(['plain'])
    (run,) = plan_runs(load_suite(Path('grid.py')), OUT)
    spent = record('plain')
    assert spent['test_seconds'] > 0
    expected = spent['seconds'] + spent['test_seconds']
    assert run.progress.seconds == pytest.approx(expected)


def test_folder_in_use_is_refused(run_suite, capsys):
    with suite.lock(OUT):
        assert run_suite(['plain']) == 2
    assert 'another suite' in capsys.readouterr().err
    assert calls() == []
    assert run_suite(['plain']) == 0


def test_a_file_in_the_place_of_the_folder_is_refused(run_suite, capsys):
    Path('taken').touch()
    assert run_suite(['plain'], '--out', 'taken') == 2
    assert "File exists: 'taken'" in capsys.readouterr().err


def test_a_record_that_is_no_json_is_named(run_suite, capsys):
    assert run_suite(['plain']) == 0
    path = OUT / 'plain/seed_0/run.json'
    path.write_text(path.read_text()[:20])
    assert run_suite(['plain']) == 2
    assert f'{path} is not JSON' in capsys.readouterr().err


def test_processes_end_also_where_no_time_can_be_saved(
    run_suite, tmp_path, monkeypatch
):
    def full_disk(job):
        raise OSError('no space left')

    def send(job, number):
        # Like processes that ignore other signals.
        if number == signal.SIGKILL:
            jobs.append(job)
            really_send(job, number)

    jobs, really_send = [], Job.send
    monkeypatch.setattr(Job, 'save_time', full_disk)
    monkeypatch.setattr(Job, 'send', send)
    thread = signal_when(tmp_path / 'pids', signal.SIGINT)
    with pytest.raises(OSError, match='no space left'):
        run_suite(['stubborn'], '--seeds', 0, 1, '--jobs', 2)
    thread.join()
    assert len({job.run.seed for job in jobs}) == 2
    assert all(job.process.poll() is not None for job in jobs)


def test_runs_hold_the_lock(run_suite, monkeypatch):
    """A run that outlives its killed suite is not started again."""
    refused = []

    def say(text):
        if 'watched/seed_0 2/4' in text and not refused:
            held.close()  # as the death of the suite would
            with pytest.raises(RuntimeError, match='run of a killed one'):
                suite.lock(OUT)
            refused.append(True)
            Path('seen').touch()

    monkeypatch.setattr(suite_scheduler, 'say', say)
    run_suite(['watched'], '--dry-run')
    runs = find_targets(plan_runs(load_suite('grid.py'), OUT))
    held = suite.lock(OUT)
    scheduler = suite.SuiteScheduler(
        runs,
        tools=suite.TOOLS,
        slots=[{'OMP_NUM_THREADS': '1'}],
        commit='c0ffee',
        on_result=lambda: None,
        keep_open=[held.fileno()],
        report_every=0,
    )
    # Processes inherit descriptors when they start: start only the training.
    scheduler._finish_training = lambda slot, job: None
    scheduler.run()
    assert refused
    suite.lock(OUT).close()


def test_dry_run_touches_nothing(run_suite, capsys):
    assert run_suite(['plain'], '--dry-run') == 0
    assert not OUT.exists()
    assert capsys.readouterr().out.splitlines() == [
        '# train plain/seed_0: 4 iterations',
        'OMP_NUM_THREADS=1 python tools/train.py plain.py '
        f'--work-dir {OUT}/plain/seed_0 --cfg-options randomness.seed=0',
        'OMP_NUM_THREADS=1 python tools/test.py plain.py CHECKPOINT '
        f'--work-dir {OUT}/plain/seed_0/test --cfg-options randomness.seed=0',
    ]


@pytest.mark.parametrize(
    ('pattern', 'trained'),
    [
        ('plain', ['plain 0', 'plain 1']),
        ('*/seed_1', ['plain 1', 'mutual 1']),
        ('m*', ['mutual 0', 'mutual 1']),
    ],
)
def test_only(run_suite, pattern, trained):
    methods = ['plain', 'mutual']
    run_suite(methods, '--seeds', 0, 1, '--only', pattern)
    found = [c.split() for c in calls() if c.startswith('train')]
    assert [f'{c[1]} {c[2]}' for c in found] == trained


def test_only_must_match(run_suite, capsys):
    assert run_suite(['plain'], '--only', 'palin') == 2
    error = capsys.readouterr().err
    assert error == 'error: --only palin matches none of plain/seed_0\n'


def test_option_that_no_command_line_can_give(run_suite, capsys):
    assert run_suite(['plain'], options={'model.a': 'b c'}) == 2
    assert "option model.a='b c'" in capsys.readouterr().err


def test_commit_is_one_of_git():
    commit = suite.git_commit()
    assert commit == 'unknown' or len(commit.split('-')[0]) == 40
