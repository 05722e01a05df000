"""The workarounds that let mmengine run in several processes on the CPU."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from mmengine.dist import utils as dist_utils
from mmengine.model import MMDistributedDataParallel

import rml_mmseg  # noqa: F401, applies the workarounds

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(
    torch.cuda.is_available(), reason='this machine has an accelerator'
)
class TestOnCPU:
    def test_two_processes_train_alike(self, tmp_path):
        """Stock Runner and launcher, in two processes with gloo."""
        script = tmp_path / 'train_toy.py'
        script.write_text(
            textwrap.dedent("""
            import rml_mmseg
            import torch
            from mmengine.dist import get_backend, get_rank, get_world_size
            from mmengine.model import BaseModel
            from mmengine.runner import Runner
            from rml_mmseg.engine.command_line import leave_group

            class Toy(BaseModel):
                def __init__(self):
                    super().__init__()
                    self.layer = torch.nn.Linear(1, 1, bias=False)
                    torch.nn.init.zeros_(self.layer.weight)

                def forward(self, inputs, mode):
                    return {'loss': self.layer(inputs).mean()}

            class Data(torch.utils.data.Dataset):
                metainfo = None
                def __len__(self):
                    return 4
                def __getitem__(self, index):
                    return {'inputs': torch.tensor([float(index)])}

            runner = Runner(
                Toy(), work_dir=WORK_DIR, launcher='pytorch',
                train_dataloader=dict(
                    dataset=Data(), batch_size=1, num_workers=0,
                    collate_fn=dict(type='default_collate'),
                    sampler=dict(type='DefaultSampler', shuffle=False)),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
                train_cfg=dict(by_epoch=False, max_iters=1),
            )
            runner.train()
            weight = runner.model.module.layer.weight.item()
            # One line of two processes may be torn on a shared pipe.
            result = get_rank(), get_world_size(), get_backend(), weight
            with open(f'{runner.work_dir}.{get_rank()}', 'w') as file:
                print(*result, file=file)
            leave_group()
            """).replace('WORK_DIR', repr(str(tmp_path / 'work')))
        )
        done = subprocess.run(
            [sys.executable, '-m', 'torch.distributed.run', '--standalone']
            + ['--nproc_per_node=2', str(script)],
            env={**os.environ, 'PYTHONPATH': str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results = [
            (tmp_path / f'work.{rank}').read_text().split()
            for rank in range(2)
        ]
        # The samples are 0 and 1: the mean gradient is 1 / 2.
        assert results == [
            ['0', '2', 'gloo', '-0.5'],
            ['1', '2', 'gloo', '-0.5'],
        ]

    def test_other_backends_are_kept(self, monkeypatch):
        seen = []
        monkeypatch.setattr(
            torch.distributed,
            'init_process_group',
            lambda **kwargs: seen.append(kwargs),
        )
        monkeypatch.setenv('RANK', '0')
        monkeypatch.setenv('LOCAL_RANK', '0')
        dist_utils._init_dist_pytorch('mpi', timeout=3)
        dist_utils._init_dist_pytorch('nccl')
        assert [kwargs['backend'] for kwargs in seen] == ['mpi', 'gloo']
        assert seen[0]['timeout'] == 3

    def test_device_ids_are_dropped_for_cpu_parameters_only(self, monkeypatch):
        seen = []
        monkeypatch.setattr(
            torch.nn.parallel.DistributedDataParallel,
            '__init__',
            lambda self, **kwargs: seen.append(kwargs.get('device_ids')),
        )
        for device in ('cpu', 'meta'):
            module = torch.nn.Linear(1, 1, device=device)
            wrapper = MMDistributedDataParallel.__new__(
                MMDistributedDataParallel
            )
            object.__setattr__(wrapper, 'detect_anomalous_params', False)
            MMDistributedDataParallel.__init__(
                wrapper, module=module, device_ids=[1]
            )
        assert seen == [None, [1]]

    def test_synchronised_norms_become_plain_on_the_cpu(self, monkeypatch):
        seen = []
        monkeypatch.setattr(
            torch.nn.parallel.DistributedDataParallel,
            '__init__',
            lambda self, module, **kwargs: seen.append(module),
        )
        norm = torch.nn.SyncBatchNorm(2).eval()
        norm.weight.requires_grad_(False)
        norm.running_mean.fill_(3.0)
        wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
        object.__setattr__(wrapper, 'detect_anomalous_params', False)
        MMDistributedDataParallel.__init__(
            wrapper, module=torch.nn.Sequential(norm), device_ids=[0]
        )
        plain = seen[0][0]
        assert not isinstance(plain, torch.nn.SyncBatchNorm)
        assert not plain.training and not plain.weight.requires_grad
        assert plain.running_mean.tolist() == [3.0, 3.0]
