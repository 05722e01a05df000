import json
from pathlib import Path

import pytest

from rml_mmseg.experiments.suites.results import (
    collect_results,
    read_class_ious,
    read_scores,
    summarise,
)
from rml_mmseg.experiments.suites.suite_run import SuiteRun
from rml_mmseg.experiments.suites.table import to_markdown


def write_scores(folder, stamp, **scores):
    path = folder / stamp / f'{stamp}.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(scores))


def make_run(tmp_path, method='x', seed=0, split='', **changes):
    settings = dict(
        method=method,
        title=method.upper(),
        split=split,
        seed=seed,
        config='c.py',
        options={'randomness.seed': seed, 'pair': (1, 2)},
        folder=tmp_path / method / split / f'seed_{seed}',
    )
    return SuiteRun(**(settings | changes))


def finish(run, seconds=60.0, iterations=10, **scores):
    run.save(
        status='finished',
        scores={k.replace('_', '/'): v for k, v in scores.items()},
        seconds=seconds,
        iterations=iterations,
        commands=[f'train {run.name}'],
        commits=['c1'],
    )
    return run


def test_read_scores_takes_the_latest(tmp_path):
    write_scores(tmp_path, '20260101_000000', mIoU=1.0)
    write_scores(tmp_path, '20260102_000000', mIoU=2.0, aAcc=3.0)
    (tmp_path / '20260103_000000').mkdir()
    (tmp_path / '20260103_000000' / 'other.json').write_text('{"mIoU": 9}')
    assert read_scores(tmp_path) == dict(mIoU=2.0, aAcc=3.0)


def test_read_scores_needs_a_file(tmp_path):
    with pytest.raises(ValueError, match='default_hooks.logger'):
        read_scores(tmp_path)


def test_read_scores_needs_the_deployed_learner(tmp_path):
    write_scores(tmp_path, 't', **{'val/mIoU': 1.0})
    with pytest.raises(ValueError, match='no mIoU.*only val/mIoU.*prefix'):
        read_scores(tmp_path)


def test_read_scores_needs_a_number(tmp_path):
    write_scores(tmp_path, 't', mIoU=float('nan'))
    with pytest.raises(ValueError, match='mIoU nan: all pixels in the masks'):
        read_scores(tmp_path)


def write_log(folder, stamp, *lines):
    path = folder / stamp / f'{stamp}.log'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines))


def test_class_ious_are_those_of_the_deployed_learner(tmp_path):
    head = '2026/01/01 00:00:00 - mmengine - INFO - '
    columns = '|  Class  |  IoU  |  Acc  |'
    end = f'{head}Iter(test) [2/2]  mIoU: 1'
    write_log(
        *(tmp_path, '20260102_000000'),
        *(f'{head}per class results:', columns, '| road | 7.5 | 1.0 |'),
        *('| a|b | nan | 1.0 |', f'{head}students.0:'),
        *(f'{head}per class results:', columns, '| road | 9.5 | 1.0 |', end),
    )
    write_log(
        tmp_path, '20260101_000000', columns, '| road | 1.0 | 1.0 |', end
    )
    (tmp_path / '20260102_000000' / 'other.log').write_text('')
    assert read_class_ious(tmp_path) == {'road': 7.5}


def test_a_test_without_a_table_has_no_class_ious(tmp_path):
    assert read_class_ious(tmp_path) == {}
    write_log(tmp_path, '20260101_000000', 'stopped')
    assert read_class_ious(tmp_path) == {}


def test_gains_of_classes_are_over_the_seeds_of_both(tmp_path):
    ious = {
        ('base', 0): {'road': 50.0, 'sign': 1.0},
        ('base', 1): {'road': 60.0, 'sign': 3.0},
        ('x', 1): {'road': 63.0, 'sign': 3.0},
        ('x', 2): {'road': 90.0},
    }
    runs = [
        finish(make_run(tmp_path, method, seed), mIoU=1.0)
        for method, seed in ious
    ]
    for run in runs:
        run.save(class_ious=ious[run.method, run.seed])
    unlisted = finish(make_run(tmp_path, 'old', 0), mIoU=1.0)
    rows = collect_results([*runs, unlisted], 'base')
    base, x, old = rows
    assert base['class_summary']['road']['mean'] == 55.0
    assert base['class_gain'] == {}
    assert x['class_gain'] == {
        'road': dict(mean=3.0, std=None, count=1),
        'sign': dict(mean=0.0, std=None, count=1),
    }
    assert old['class_summary'] == old['class_gain'] == {}
    table = to_markdown('grid', rows, 'BASE')
    assert '## IoU by class\n\nIn percent; with a sign, the mean ' in table
    assert (
        '| Class | BASE | X |\n| --- | --- | --- |\n'
        '| road | 55.0 ± 7.1 | +3.0 |\n| sign | 2.0 ± 1.4 | +0.0 |\n'
    ) in table
    alone = to_markdown('grid', collect_results(runs[:1]))
    assert '| Class | BASE |\n| --- | --- |\n| road | 50.0 |\n' in alone
    assert 'with a sign' not in alone


def test_summarise():
    # Deviations of -3, 0 and 3: the variance is 18 / 2.
    assert summarise([40, 43, 46]) == dict(mean=43, std=3, count=3)
    assert summarise([40]) == dict(mean=40, std=None, count=1)


def test_rows(tmp_path):
    runs = [
        finish(make_run(tmp_path, seed=0), mIoU=40.0, mAcc=9.0),
        finish(make_run(tmp_path, seed=1), mIoU=44.0, mAcc=9.0),
        make_run(tmp_path, seed=2),
        finish(make_run(tmp_path, 'y'), seconds=90.0, mIoU=50.0, b_mIoU=51.0),
    ]
    first, second = collect_results(runs)
    assert first['summary']['mIoU']['mean'] == 42.0
    assert set(first['summary']) == {'mIoU', 'iterations', 'seconds'}
    assert [r['status'] for r in first['runs']] == ['finished'] * 2 + [None]
    assert first['runs'][2]['options']['randomness.seed'] == 2
    assert second['summary']['b/mIoU']['count'] == 1
    lines = to_markdown('grid', [first, second]).splitlines()
    head = lines.index(
        '| Method | mIoU | b | Iterations | Time (min) | Seeds |'
    )
    assert lines[0] == '# grid'
    assert lines[head + 2 : head + 4] == [
        '| X | 42.00 ± 2.83 | – | 10 | 1.0 ± 0.0 | 2 of 3 |',
        '| Y | 50.00 | 51.00 | 10 | 1.5 | 1 |',
    ]


def test_best_checkpoints_and_single_runs(tmp_path):
    for seed, last, best, at in ((0, 40.0, 42.0, 5), (1, 44.0, 44.0, 10)):
        run = make_run(tmp_path, seed=seed, split='1-8')
        finish(run, seconds=90.4, mIoU=last)
        run.save(
            best_scores={'mIoU': best, 'a/mIoU': 1.0, 'mAcc': 2.0},
            best_iteration=at,
            validation={5: 33.333, 10: 30.0 + seed},
        )
    runs = [make_run(tmp_path, seed=s, split='1-8') for s in (0, 1, 2)]
    (row,) = collect_results(runs)
    assert row['summary']['mIoU']['mean'] == 42.0
    assert row['best_summary'] == {
        'mIoU': dict(mean=43.0, std=pytest.approx(2**0.5), count=2),
        'a/mIoU': dict(mean=1.0, std=0.0, count=2),
    }
    table = to_markdown('grid', [row])
    assert (
        '| Method | Split | mIoU | Best | Iterations | Time (min) | Seeds |\n'
        '| --- | --- | --- | --- | --- | --- | --- |\n'
        '| X | 1-8 | 42.00 ± 2.83 | 43.00 ± 1.41 | 10 | 1.5 ± 0.0 | 2 of 3 |'
    ) in table
    lines = table[table.index('## Runs') :].splitlines()
    # The third has not begun.
    assert lines[2:7] == [
        '| Method | Split | Seed | mIoU | Best | Best at | Validation at best '
        '| Iterations | Time (s) |',
        '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
        '| X | 1-8 | 0 | 40.00 | 42.00 | 5 | 33.33 | 10 | 90 |',
        '| X | 1-8 | 1 | 44.00 | 44.00 | 10 | 31.00 | 10 | 90 |',
        '',
    ]


def test_gains_are_over_the_seeds_of_both(tmp_path):
    scores = dict(x=[40.0, 50.0, 60.0], y=[41.0, 54.0], z=[39.0])
    runs = [
        finish(make_run(tmp_path, method, seed, split='1-8'), mIoU=score)
        for method, values in scores.items()
        for seed, score in enumerate(values)
    ]
    runs += [make_run(tmp_path, 'z', 1, split='1-8')]
    runs += [finish(make_run(tmp_path, 'y', split='1-4'), mIoU=9.0)]
    runs += [make_run(tmp_path, 'x', split='1-4')]
    rows = collect_results(runs, 'x')
    # Seed 2 of x has no partner; with it the means would differ by -2.5.
    assert [row['gain'] for row in rows] == [
        None,
        dict(mean=2.5, std=pytest.approx(4.5**0.5), count=2),
        dict(mean=-1.0, std=None, count=1),
        None,
        None,
    ]
    table = to_markdown('grid', rows, 'X')
    assert 'difference from X over the seeds that both have' in table
    assert '| Method | Split | mIoU | Gain | Iterations |' in table
    assert '| Y | 1-8 | 47.50 ± 9.19 | +2.50 ± 2.12 | 10 |' in table
    assert '| Z | 1-8 | 39.00 | -1.00 | 10 |' in table
    assert '| X | 1-8 | 50.00 ± 10.00 | – | 10 |' in table
    assert 'Gain' not in to_markdown('grid', collect_results(runs))


def test_commands_and_commits(tmp_path):
    run = finish(make_run(tmp_path), mIoU=1.0)
    run.save(commands=['train', 'test'], commits=['c1', 'c2'])
    table = to_markdown('grid', collect_results([run]))
    assert table.endswith('Git commits: c1, c2\n\n```sh\ntrain\ntest\n```\n')


def test_splits_have_rows_and_a_column(tmp_path):
    runs = [
        finish(make_run(tmp_path, split=split), mIoU=score)
        for split, score in (('1-8', 1.0), ('1-4', 2.0))
    ]
    table = to_markdown('grid', collect_results(runs))
    assert '| Method | Split | mIoU | Iterations |' in table
    assert '| X | 1-8 | 1.00 | 10 |' in table
    assert '| X | 1-4 | 2.00 | 10 |' in table


def test_titles_end_no_cell(tmp_path):
    run = finish(make_run(tmp_path, title='a|b'), mIoU=1.0)
    table = to_markdown('grid', collect_results([run]))
    assert '| a\\|b | 1.00 | 10 |' in table


def test_learners_come_in_the_order_of_the_longest_row(tmp_path):
    runs = [
        finish(make_run(tmp_path, 'x'), mIoU=1, a_mIoU=1, c_mIoU=1),
        finish(make_run(tmp_path, 'y'), mIoU=1, a_mIoU=1, b_mIoU=1, c_mIoU=1),
    ]
    table = to_markdown('grid', collect_results(runs))
    assert '| Method | mIoU | a | b | c | Iterations |' in table


def test_other_settings_are_another_run(tmp_path):
    run = finish(make_run(tmp_path), mIoU=1.0)
    run.check_settings()
    other = make_run(tmp_path, config='d.py')
    with pytest.raises(ValueError, match=r"config was 'c\.py', is 'd\.py'. C"):
        other.check_settings()
    row = collect_results([other])[0]
    assert row['summary'] == {}
    assert row['runs'][0]['status'] is None


def test_best_checkpoint(tmp_path):
    run = make_run(tmp_path, checkpoints=('last', 'best'))
    assert run.best_checkpoint is None
    assert run.untested == ['last', 'best']
    run.save(scores={})
    for name in ('best_mIoU_iter_90', 'best_mIoU_iter_100', 'iter_200'):
        (run.folder / f'{name}.pth').touch()
    assert run.best_checkpoint == str(run.folder / 'best_mIoU_iter_100.pth')
    assert run.untested == ['best']
    assert run.test_arguments('best')[:4] == [
        'c.py',
        str(run.folder / 'best_mIoU_iter_100.pth'),
        '--work-dir',
        str(run.folder / 'test_best'),
    ]


@pytest.mark.parametrize(
    ('checkpoint', 'iteration'),
    [('w/iter_120.pth', 120), ('w/epoch_3.pth', 0), (None, 0)],
)
def test_saved_iteration(tmp_path, checkpoint, iteration):
    run = make_run(tmp_path)
    run.folder.mkdir(parents=True)
    if checkpoint:
        Path(run.folder, 'last_checkpoint').write_text(f'{checkpoint}\n')
    assert run.checkpoint == checkpoint
    assert run.saved_iteration == iteration
    if checkpoint:
        # A checkpoint in the folder is found, wherever it was before.
        here = run.folder / Path(checkpoint).name
        here.touch()
        assert run.checkpoint == str(here)
    assert ('--resume' in run.train_arguments()) == (checkpoint is not None)


def test_a_finished_run_whose_later_test_failed_keeps_its_scores(tmp_path):
    run = finish(make_run(tmp_path), mIoU=40.0)
    run.save(failure='test.py: exit code 1: a|b\nc')
    (row,) = collect_results([run])
    assert row['summary']['mIoU']['mean'] == 40.0
    assert row['runs'][0]['status'] == 'finished'
    table = to_markdown('grid', [row])
    assert (
        '| X | 0 | 40.00 | 10 | 60 | test.py: exit code 1: a\\|b c |' in table
    )
    run.save(failure=None)
    assert 'failure' not in run.record
