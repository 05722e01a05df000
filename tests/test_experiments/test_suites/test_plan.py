import shutil
from pathlib import Path

import pytest

from rml_mmseg.experiments.suites.plan import (
    find_targets,
    plan_runs,
    recorded_seeds,
)


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


def test_lists_follow_split_and_seed(load):
    suite = load(
        "methods = dict(x=dict(config='a.py', options={'l': '{cwd}/{split}_"
        "{seed}'}), y=dict(config='b.py', splits=['full']))\n"
        "splits = {'1-8': {'n': 1, 'l': 0}, 'full': {'n': 2}}\n"
        "options = dict(n=0, m='{split}')"
    )
    runs = plan_runs(suite, Path('out'), [0, 1])
    assert [(run.name, run.options) for run in runs[:4]] == [
        (
            'x/1-8/seed_0',
            {'n': 1, 'm': '1-8', 'l': '{cwd}/1-8_0', 'randomness.seed': 0},
        ),
        (
            'x/full/seed_0',
            {'n': 2, 'm': 'full', 'l': '{cwd}/full_0', 'randomness.seed': 0},
        ),
        ('y/full/seed_0', {'n': 2, 'm': 'full', 'randomness.seed': 0}),
        (
            'x/1-8/seed_1',
            {'n': 1, 'm': '1-8', 'l': '{cwd}/1-8_1', 'randomness.seed': 1},
        ),
    ]
    # Commands contain the folder, records do not.
    assert f'l={Path.cwd()}/1-8_0' in runs[0].train_arguments()
    assert f'l={Path.cwd()}/1-8_0' in runs[0].test_arguments()
    assert runs[0].settings['options']['l'] == '{cwd}/1-8_0'


def test_splits_may_be_names(load):
    suite = load("methods = dict(x=dict(config='a.py'))\nsplits = ['b', 'a']")
    names = [run.name for run in plan_runs(suite, Path('out'))]
    assert names == ['x/b/seed_0', 'x/a/seed_0']


def test_word_that_stands_for_nothing(load):
    suite = load("methods = dict(x=dict(config='a.py', options={'k': '{l}'}))")
    with pytest.raises(ValueError, match=r"option k='\{l\}': \{l\} is unkn"):
        plan_runs(suite, Path('out'))


def test_the_best_checkpoint_has_to_be_chosen(load):
    text = "methods = dict(x=dict(config='a.py'))\ncheckpoints = ['best']"
    with pytest.raises(ValueError, match='x/seed_0: .*checkpoint.save_best'):
        find_targets(plan_runs(load(text), Path('out')))
    text += "\noptions = {'default_hooks.checkpoint.save_best': 'mIoU'}"
    (run,) = find_targets(plan_runs(load(text), Path('out')))
    assert run.checkpoints == ('best',)


def test_seeds_are_of_the_suite_or_the_caller(load):
    suite = load("methods = dict(x=dict(config='a.py'))")
    assert [run.seed for run in plan_runs(suite, Path('out'))] == [0]
    seeds = [run.seed for run in plan_runs(suite, Path('out'), [3, 1])]
    assert seeds == [3, 1]


def test_recorded_seeds(load):
    suite = load("methods = dict(x=dict(config='a.py'))\nseeds = [2]")
    run = plan_runs(suite, Path('out'), [11])[0]
    run.save(status='begun')
    # A copy beside it is not a run of the suite.
    shutil.copytree(run.folder, run.folder.with_name('seed_11_old'))
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


def test_seeds_of_the_command_line_are_checked(load):
    suite = load("methods = dict(x=dict(config='a.py'))")
    with pytest.raises(ValueError, match='--seeds must not repeat a seed'):
        plan_runs(suite, Path('out'), [1, 1])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ("{'trian_cfg.max_iters': 2}", "did you mean 'train_cfg'"),
        (
            "{'custom_hooks.7.interval': 2}",
            'a.py: option custom_hooks.7.* a list of 1',
        ),
        ("{'train_cfg': 3}", 'train_cfg must be a dict, got 3'),
        (
            "{'train_cfg.max_iters.x': 2}",
            'train_cfg.max_iters is 8, which has no .x.',
        ),
    ],
)
def test_options_that_do_not_fit_the_config(load, options, message):
    text = f"methods = dict(x=dict(config='a.py', options={options}))"
    runs = plan_runs(load(text), Path('out'))
    config = 'train_cfg = dict(max_iters=8)\ncustom_hooks = [dict(type="A")]'
    Path('a.py').write_text(config)
    with pytest.raises(ValueError, match=message):
        find_targets(runs)
