from pathlib import Path

import pytest

from rml_mmseg.evaluation.suites.plan import (
    find_targets,
    load_suite,
    plan_runs,
    recorded_seeds,
)


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_and_load(text):
        for name in ('a', 'b'):
            text_of_config = 'train_cfg = dict(max_iters=8)'
            Path(f'{name}.py').write_text(text_of_config)
        Path('suite.py').write_text(text)
        return load_suite('suite.py')

    return write_and_load


def test_grid_of_methods_splits_and_seeds(load):
    suite = load(
        "methods = dict(x=dict(config={'1-8': 'a.py', '1-4': 'b.py'}), "
        "y=dict(config='b.py', title='Y!', options={'l': 2, 'm': 3}))\n"
        'options = dict(k=dict(n=[1, 2]), l=1)\nseeds = [0, 5]'
    )
    runs = plan_runs(suite, Path('out'))
    assert [(run.name, run.config) for run in runs] == [
        ('x/1-8/seed_0', 'a.py'),
        ('x/1-4/seed_0', 'b.py'),
        ('y/seed_0', 'b.py'),
        ('x/1-8/seed_5', 'a.py'),
        ('x/1-4/seed_5', 'b.py'),
        ('y/seed_5', 'b.py'),
    ]
    assert [run.title for run in runs[:3]] == ['x', 'x', 'Y!']
    assert [str(run.folder) for run in runs] == [f'out/{r.name}' for r in runs]
    common = {'k.n': [1, 2], 'l': 1, 'randomness.seed': 0}
    assert runs[0].options == common
    assert runs[2].options == common | {'l': 2, 'm': 3}


def test_seeds_are_of_the_suite_or_the_caller(load):
    suite = load("methods = dict(x=dict(config='a.py'))")
    assert [run.seed for run in plan_runs(suite, Path('out'))] == [0]
    seeds = [run.seed for run in plan_runs(suite, Path('out'), [3, 1])]
    assert seeds == [3, 1]


def test_recorded_seeds(load):
    suite = load("methods = dict(x=dict(config='a.py'))\nseeds = [2]")
    run = plan_runs(suite, Path('out'), [11])[0]
    run.save(status='begun')
    assert recorded_seeds(suite, Path('out')) == [2, 11]


@pytest.mark.parametrize(
    ('loop', 'target'),
    [
        ('dict(max_iters=8)', 8),
        ('dict(iters_per_stage=10, stages=3, burn_in_iters=5)', 30),
        ('dict(iters_per_stage=10)', 10),
        ('dict(max_epochs=2)', None),
    ],
)
def test_target_iterations(load, loop, target):
    suite = load("methods = dict(x=dict(config='a.py'))")
    Path('a.py').write_text(f'train_cfg = {loop}')
    runs = find_targets(plan_runs(suite, Path('out'), [0, 1]))
    assert [run.target for run in runs] == [target, target]


def test_options_change_the_target(load):
    suite = load(
        "methods = dict(x=dict(config='a.py'), "
        "y=dict(config='a.py', options={'train_cfg.max_iters': 2}))"
    )
    runs = find_targets(plan_runs(suite, Path('out')))
    assert [run.target for run in runs] == [8, 2]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'methods must be a dict'),
        ('methods = {}', 'methods must be a dict'),
        ("methods = dict(x=dict(config='c.py'))", 'no such file'),
        ("methods = dict(x='a.py')", "methods.x must be.*got 'a.py'"),
        ("methods = dict(x=dict(title='X'))", 'methods.x must be'),
        ("methods = dict(x=dict(config='a.py', seed=1))", 'seed.: 1'),
        ("methods = {'x/y': dict(config='a.py')}", "'x/y' names a folder"),
        ("methods = {'seed_1': dict(config='a.py')}", 'not begin with'),
        ("methods = dict(x=dict(config={'..': 'a.py'}))", 'names a folder'),
        ("methods = dict(x=dict(config='a.py'))\nseeds = [1.5]", '1.5'),
        ("methods = dict(x=dict(config='a.py'))\nseeds = []", 'seeds must'),
    ],
)
def test_faulty_suites(load, text, message):
    with pytest.raises(ValueError, match=f'suite.py: .*{message}'):
        load(text)
