"""A resumed run ends with the weights of an uninterrupted one."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from rml_mmseg.compat import SAFE_LOADING

CHECKPOINTS = {
    'train_cfg.iters_per_stage': 3,
    'train_cfg.stages': 2,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 1,
    'val_evaluator.learners': [],
    'model.test_cfg.score': [],
}
TWO_OPTIMISERS = dict(
    optim_wrapper=dict(
        constructor='MutualOptimWrapperConstructor',
        accumulative_counts=2,
        students=[
            dict(
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9),
                clip_grad=dict(max_norm=1.0),
            ),
            dict(
                optimizer=dict(type='AdamW', lr=1e-3),
                clip_grad=dict(max_norm=0.1),
            ),
        ],
    ),
    param_scheduler={
        'students.0': [dict(type='PolyLR', by_epoch=False)],
        'students.1': [
            dict(type='LinearLR', start_factor=0.1, end=2, by_epoch=False),
            dict(type='PolyLR', begin=2, by_epoch=False),
        ],
    },
)
STAGED = {
    'model.semi_train_cfg': dict(p0='stage'),
    'train_cfg.restart_students': True,
}
ALIGNED = {'model.rectifier.alignment': 2.0}


class Stop(Hook):
    """Kills the run in the middle of an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def train(cfg, stop_at=None):
    runner = Runner.from_cfg(cfg)
    if stop_at is None:
        runner.train()
    else:
        runner.register_hook(Stop(stop_at))
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return runner


def final_state(cfg):
    path = Path(cfg.work_dir) / 'iter_6.pth'
    state = torch.load(path, weights_only=SAFE_LOADING)
    return {
        key: state[key]
        for key in ('state_dict', 'optimizer', 'param_schedulers')
    }


def differences(a, b, place=''):
    """Places where two nested states differ in a bit."""
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [f'{place}: {set(a) ^ set(b)}']
        pairs = [(a[key], b[key], f'{place}/{key}') for key in a]
    elif isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return [f'{place}: {len(a)} and {len(b)} items']
        pairs = [(x, y, f'{place}/{i}') for i, (x, y) in enumerate(zip(a, b))]
    elif isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [place]
    else:
        return [] if a == b else [f'{place}: {a} and {b}']
    return [found for pair in pairs for found in differences(*pair)]


@pytest.mark.parametrize(('workers', 'stops'), [(0, range(1, 6)), (2, [5])])
@pytest.mark.parametrize(
    ('options', 'own'),
    [({}, {}), (ALIGNED, TWO_OPTIMISERS), (STAGED, {})],
    ids=['one', 'two', 'stages'],
)
def test_resumed_runs_are_bit_identical(
    tiny_config, options, own, workers, stops
):
    loader = {'train_dataloader.num_workers': workers}

    def config():
        cfg = tiny_config(CHECKPOINTS | loader | options)
        cfg.update(copy.deepcopy(own))
        return cfg

    whole = config()
    train(whole)
    expected = final_state(whole)
    weights, key = expected['state_dict'], 'backbone.conv1.weight'
    assert not weights[f'teachers.0.{key}'].equal(weights[f'students.0.{key}'])
    for iteration in stops:
        cfg = config()
        train(cfg, stop_at=iteration)
        cfg.resume = True
        cfg.experiment_name += '_resumed'
        train(cfg)
        assert differences(expected, final_state(cfg)) == [], iteration


def test_an_alignment_begins_in_a_run_that_had_none(tiny_config):
    train(tiny_config(CHECKPOINTS), stop_at=4)
    cfg = tiny_config(CHECKPOINTS | ALIGNED)
    cfg.resume = True
    cfg.experiment_name += '_resumed'
    model = train(cfg).model
    assert all(rectifier.shares.any() for rectifier in model.rectifiers)
    assert 'rectifiers.1.shares' in final_state(cfg)['state_dict']
