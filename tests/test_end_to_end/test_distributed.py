"""Two processes on the CPU train one model."""

import os
import socket
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
HOOK = """
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmseg.registry import HOOKS


@HOOKS.register_module()
class DumpState(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None,
                         outputs=None):
        losses = {k: float(v) for k, v in outputs.items()}
        torch.save(
            dict(state=runner.model.module.state_dict(), losses=losses),
            f'rank_{get_rank()}_{runner.iter}.pt')
"""


def free_port():
    # Below the ports that systems give to outgoing connections, one of which
    # could take it before torchrun does.
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)):
                return str(port)
    raise RuntimeError('no free port from 20000 to 32000')


def test_ranks_hold_equal_teachers(tiny_config, run_command, tmp_path):
    (tmp_path / 'dump_state.py').write_text(HOOK)
    cfg = tiny_config({'train_cfg.val_interval': 2})
    cfg.custom_imports = dict(imports=['rml_mmseg', 'dump_state'])
    # The hook runs last, after everything has been updated.
    cfg.custom_hooks.append(dict(type='DumpState', priority='LOWEST'))
    cfg.dump(tmp_path / 'config.py')
    done = run_command(
        *('bash', ROOT / 'tools' / 'dist_train.sh', 'config.py', 2),
        PORT=free_port(),
        PYTHONPATH=f'{ROOT}:{tmp_path}',
    )
    assert 'teachers.1/mIoU' in done.stdout + done.stderr
    shared = ('teachers.', 'rectifiers.')
    for iteration in range(4):
        first, second = (
            torch.load(tmp_path / f'rank_{rank}_{iteration}.pt')
            for rank in range(2)
        )
        # Each rank saw images of its own.
        assert first['losses'] != second['losses']
        for key, value in first['state'].items():
            same = value.equal(second['state'][key])
            is_statistic = key.endswith(('running_mean', 'running_var'))
            if key.startswith(shared) or not is_statistic:
                assert same, (iteration, key)
    counts = first['state']['rectifiers.0.counts']
    assert counts.sum() > 0
