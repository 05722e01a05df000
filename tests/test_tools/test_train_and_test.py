"""The options of tools/train.py and tools/test.py, and a run of each."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from tests.toys import toy_runner

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'

CONFIG = """
default_scope = 'mmseg'
custom_imports = dict(imports=['rml_mmseg'], allow_failed_imports=False)
data_preparation = 'draw two squares'
norm_cfg = dict(type='BN')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(16, 16)),
    backbone=dict(
        type='ResNet', depth=18, base_channels=4, norm_cfg=norm_cfg,
        strides=(1, 2, 1, 1)),
    decode_head=dict(
        type='FCNHead', in_channels=32, channels=4, num_convs=1,
        concat_input=False, num_classes=2, norm_cfg=norm_cfg),
    test_cfg=dict(mode='whole'))
dataset = dict(
    type='BaseSegDataset',
    metainfo=dict(classes=('a', 'b'), palette=[[0, 0, 0], [9, 9, 9]]),
    data_root='DATA', img_suffix='.png', seg_map_suffix='.png',
    data_prefix=dict(img_path='images', seg_map_path='masks'),
    pipeline=[
        dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
        dict(type='PackSegInputs')])
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset,
    sampler=dict(type='InfiniteSampler', shuffle=True))
test_dataloader = dict(
    batch_size=1, num_workers=0, dataset=dataset,
    sampler=dict(type='DefaultSampler', shuffle=False))
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
default_hooks = dict(
    checkpoint=dict(
        type='AtomicCheckpointHook', by_epoch=False, interval=2),
    visualization=dict(type='SegVisualizationHook', interval=1))
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""

# A config in mmengine's pure Python style.
LAZY = """
from mmengine.optim import OptimWrapper
from mmseg.evaluation import DepthMetric, IoUMetric
optim_wrapper = dict(type=OptimWrapper, students=[dict(type=OptimWrapper)])
test_evaluator = [dict(type=IoUMetric), dict(type=DepthMetric)]
"""


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def run(*command, cwd, **environment):
    paths = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    environment = {'PYTHONPATH': paths, 'PYTHON': sys.executable} | environment
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'config.py').write_text(
        CONFIG.replace('DATA', str(tmp_path / 'data'))
    )
    return tmp_path


@pytest.fixture
def folder_with_data(folder):
    generator = np.random.default_rng(0)
    for name in ('images', 'masks'):
        (folder / 'data' / name).mkdir(parents=True)
    for index in range(2):
        image = generator.integers(0, 255, (16, 16, 3), np.uint8)
        mask = (image[..., 0] > 127).astype(np.uint8)
        cv2.imwrite(str(folder / f'data/images/{index}.png'), image)
        cv2.imwrite(str(folder / f'data/masks/{index}.png'), mask)
    return folder


class TestTrainArguments:
    tool = load_tool('train')

    def apply(self, cfg, *options):
        cfg = cfg if isinstance(cfg, Config) else Config(cfg)
        self.tool.apply_args(cfg, self.tool.parse_args(['c.py', *options]))
        return cfg

    def test_nothing_changes_without_options(self):
        cfg = {'resume': True, 'load_from': 'a.pth', 'optim_wrapper': {}}
        assert self.apply(cfg).to_dict() == cfg

    def test_resume_from_the_latest(self):
        cfg = self.apply({'load_from': 'pretrained.pth'}, '--resume')
        assert (cfg.resume, cfg.load_from) == (True, 'pretrained.pth')

    @pytest.mark.parametrize('kind', ['Atomic', ''])
    @pytest.mark.parametrize('begun', [False, True])
    def test_a_run_that_begins_loads(self, tmp_path, kind, begun):
        checkpoint = dict(type=f'{kind}CheckpointHook', by_epoch=False)
        hooks = dict(logger=None, timer=None, checkpoint=checkpoint)
        if begun:
            toy_runner(tmp_path, default_hooks=hooks).train()
        weights = tmp_path / 'pretrained.pth'
        filled = {
            key: torch.full_like(value, 2)
            for key, value in toy_runner(tmp_path).model.state_dict().items()
        }
        torch.save(dict(meta={}, state_dict=filled), weights)
        settings = dict(resume=True, load_from=str(weights))
        runner = toy_runner(tmp_path, default_hooks=hooks, **settings)
        self.tool.resume_newest(runner)
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        runner.call_hook('before_run')
        runner.load_or_resume()
        found = runner.model.state_dict()
        same = all(torch.equal(found[key], filled[key]) for key in filled)
        assert (same, runner.iter) == ((False, 4) if begun else (True, 0))

    def test_resume_from_a_file(self):
        cfg = self.apply({}, '--resume', 'iter_5.pth')
        assert (cfg.resume, cfg.load_from) == (True, 'iter_5.pth')

    @pytest.mark.parametrize(
        'wrapper',
        [
            {},
            {'type': 'OptimWrapper'},
            {'type': OptimWrapper},
            {'type': 'mmengine.optim.OptimWrapper'},
        ],
    )
    def test_amp(self, wrapper):
        wrapper = self.apply({'optim_wrapper': wrapper}, '--amp').optim_wrapper
        assert wrapper.type == 'AmpOptimWrapper'
        assert wrapper.loss_scale == 'dynamic'

    def test_amp_keeps_a_wrapper_that_is_set(self):
        wrapper = {'type': 'AmpOptimWrapper', 'loss_scale': 512.0}
        cfg = self.apply({'optim_wrapper': wrapper}, '--amp')
        assert cfg.optim_wrapper.to_dict() == wrapper

    def test_amp_of_classes(self, tmp_path):
        (tmp_path / 'lazy.py').write_text(LAZY)
        cfg = Config.fromfile(tmp_path / 'lazy.py')
        cfg = self.apply(cfg, '--amp')
        assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
        assert cfg.optim_wrapper.students == [{}]

    def test_amp_refuses_another_wrapper(self):
        wrapper = {'type': 'ApexOptimWrapper'}
        with pytest.raises(ValueError, match='--amp.*ApexOptimWrapper'):
            self.apply({'optim_wrapper': wrapper}, '--amp')

    @pytest.mark.parametrize('common', [{}, {'type': 'OptimWrapper'}])
    @pytest.mark.parametrize('kind', ['OptimWrapper', 'AmpOptimWrapper'])
    def test_amp_of_students(self, common, kind):
        students = [{'type': kind, 'loss_scale': 512.0}, {'clip_grad': None}]
        wrapper = {**common, 'students': students}
        cfg = self.apply({'optim_wrapper': wrapper}, '--amp')
        assert cfg.optim_wrapper.to_dict() == {
            'type': 'AmpOptimWrapper',
            'loss_scale': 'dynamic',
            'students': [{'loss_scale': 512.0}, {'clip_grad': None}],
        }

    def test_amp_refuses_another_wrapper_of_a_student(self):
        students = [{}, {'type': 'ApexOptimWrapper'}]
        with pytest.raises(
            ValueError, match=r'students\[1\].type.*found ApexOptimWrapper'
        ):
            self.apply({'optim_wrapper': {'students': students}}, '--amp')

    def test_auto_scale_lr(self):
        cfg = self.apply(
            {'auto_scale_lr': {'base_batch_size': 16}}, '--auto-scale-lr'
        )
        assert cfg.auto_scale_lr.enable is True

    def test_auto_scale_lr_needs_the_base(self):
        with pytest.raises(ValueError, match='base_batch_size'):
            self.apply({}, '--auto-scale-lr')


class TestTestArguments:
    tool = load_tool('test')

    def apply(self, cfg, *options):
        cfg = cfg if isinstance(cfg, Config) else Config(cfg)
        args = self.tool.parse_args(['c.py', 'w.pth', *options])
        self.tool.apply_args(cfg, args)
        return cfg

    def test_loads_the_checkpoint(self):
        cfg = self.apply({'load_from': 'other.pth', 'resume': True})
        assert (cfg.load_from, cfg.resume) == ('w.pth', False)

    def test_show(self):
        cfg = {
            'default_hooks': {'visualization': {'type': 'V'}},
            'visualizer': {'type': 'S'},
        }
        options = ['--show', '--wait-time', '0.5', '--show-dir', 'pictures']
        cfg = self.apply(cfg, *options)
        assert cfg.default_hooks.visualization.to_dict() == {
            'type': 'V',
            'draw': True,
            'show': True,
            'wait_time': 0.5,
            'interval': 1,
        }
        assert cfg.visualizer.save_dir == 'pictures'

    def test_show_needs_the_hook(self):
        with pytest.raises(ValueError, match='default_hooks.visualization'):
            self.apply({}, '--show')

    def test_tta(self):
        cfg = self.apply(
            {
                'model': {'type': 'M'},
                'tta_model': {'type': 'T'},
                'tta_pipeline': [{'type': 'P'}],
                'test_dataloader': {'dataset': {'pipeline': []}},
            },
            '--tta',
        )
        assert cfg.model.to_dict() == {'type': 'T', 'module': {'type': 'M'}}
        assert cfg.test_dataloader.dataset.pipeline[0].type == 'P'

    def test_tta_names_what_is_missing(self):
        with pytest.raises(ValueError, match='tta_pipeline in the config'):
            self.apply({'tta_model': {'type': 'T'}}, '--tta')

    def test_out_reaches_every_iou_metric(self, tmp_path):
        maps = str(tmp_path / 'maps')
        metrics = [{'type': 'IoUMetric'}, {'type': 'DepthMetric'}]
        cfg = self.apply({'test_evaluator': metrics}, '--out', maps)
        assert cfg.test_evaluator[0].output_dir == maps
        # The folder exists before any process writes there.
        assert (tmp_path / 'maps').is_dir()
        assert 'output_dir' not in cfg.test_evaluator[1]

    def test_out_of_classes(self, tmp_path):
        (tmp_path / 'lazy.py').write_text(LAZY)
        cfg = Config.fromfile(tmp_path / 'lazy.py')
        maps = str(tmp_path / 'maps')
        cfg = self.apply(cfg, '--out', maps)
        assert cfg.test_evaluator[0].output_dir == maps
        assert 'output_dir' not in cfg.test_evaluator[1]
        cfg.test_evaluator = cfg.test_evaluator[1:]
        with pytest.raises(ValueError, match='found DepthMetric$'):
            self.apply(cfg, '--out', maps)

    def test_out_needs_an_iou_metric(self):
        with pytest.raises(ValueError, match='found DepthMetric'):
            self.apply({'test_evaluator': {'type': 'DepthMetric'}}, '--out=m')


def test_train_then_test(folder_with_data):
    folder = folder_with_data
    done = run(*(sys.executable, TOOLS / 'train.py', 'config.py'), cwd=folder)
    assert done.returncode == 0, done.stderr
    checkpoint = folder / 'work_dirs/config/iter_2.pth'
    assert checkpoint.exists()

    done = run(
        *('bash', TOOLS / 'dist_test.sh', 'config.py', checkpoint, 2),
        *('--out', folder / 'maps', '--cfg-options', 'model.test_cfg.x=1'),
        cwd=folder,
        PORT=free_port(),
    )
    assert done.returncode == 0, done.stderr
    assert 'mIoU' in done.stdout
    assert sorted(p.name for p in (folder / 'maps').iterdir()) == [
        '0.png',
        '1.png',
    ]

    done = run(
        *(sys.executable, TOOLS / 'test.py', 'config.py', checkpoint),
        *('--cfg-options', 'model.decode_head.channels=8'),
        cwd=folder,
    )
    assert done.returncode == 1
    error = f"error: '{checkpoint}' does not fit the config: it is of another"
    assert error in done.stderr
    assert 'Iter(test)' not in done.stdout


def test_predictions_that_would_share_a_file(folder_with_data):
    """Images of two folders with one name."""
    folder = folder_with_data
    for part in ('images', 'masks'):
        below = folder / 'data' / part / 'more'
        below.mkdir()
        name = folder / 'data' / part / '0.png'
        (below / '0.png').write_bytes(name.read_bytes())
    for option in ('--out', '--show-dir'):
        done = run(
            *(sys.executable, TOOLS / 'test.py', 'config.py', 'none.pth'),
            *(option, folder / 'maps'),
            cwd=folder,
        )
        assert done.returncode == 1
        assert 'would write' in done.stderr and 'more/0.png' in done.stderr


def refused(folder, script, *arguments):
    """Error output of a tool that refuses, without a traceback."""
    done = run(
        *(sys.executable, TOOLS / script, 'config.py', *arguments), cwd=folder
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    return done.stderr


def test_an_override_that_nothing_reads(folder_with_data):
    option = 'modle.decode_head.channels=8'
    said = refused(folder_with_data, 'train.py', '--cfg-options', option)
    assert "'modle.decode_head.channels', which has no e" in said


def test_an_option_that_does_not_fit_the_config(folder_with_data):
    said = refused(folder_with_data, 'train.py', '--auto-scale-lr')
    assert 'error: --auto-scale-lr needs' in said
    said = refused(folder_with_data, 'test.py', 'none.pth', '--tta')
    assert 'error: --tta needs' in said


@pytest.mark.parametrize(
    'command',
    [
        ('train.py', '--cfg-options', 'load_from=none.pth'),
        ('test.py', 'none.pth'),
    ],
)
def test_weights_that_are_missing(folder_with_data, command):
    said = refused(folder_with_data, *command)
    assert "error: the weights 'none.pth' cannot be read" in said


@pytest.mark.parametrize('command', [('train.py',), ('test.py', 'none.pth')])
def test_a_misspelt_setting_of_the_data(folder_with_data, command):
    option = 'test_dataloader.dataset.img_sufix=.png'
    if command[0] == 'train.py':
        option = option.replace('test', 'train')
    said = refused(folder_with_data, *command, '--cfg-options', option)
    assert "BaseSegDataset has no setting 'img_sufix'; did you mean" in said


def test_missing_data_stops_with_one_error(folder):
    done = run(
        *('bash', TOOLS / 'dist_train.sh', 'config.py', 2),
        cwd=folder,
        PORT=free_port(),
    )
    assert done.returncode != 0
    error = (
        'error:\nthe data of this config is missing:\n'
        f'  {folder / "data"} (set by train_dataloader.dataset.data_root)\n'
        'How to get it: draw two squares\n'
    )
    assert done.stderr.count(error) == 1
    assert 'FileNotFoundError' not in done.stderr


@pytest.mark.parametrize(
    'script', ['dist_train', 'dist_test', 'slurm_train', 'slurm_test']
)
def test_scripts_tell_their_usage(script, tmp_path):
    done = run('bash', TOOLS / f'{script}.sh', 'config.py', cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f'usage: {TOOLS / script}.sh ')


@pytest.mark.parametrize(
    ('script', 'arguments', 'expected'),
    [
        ('slurm_train', ['c.py'], ['train.py', 'c.py']),
        ('slurm_test', ['c.py', 'w.pth'], ['test.py', 'c.py', 'w.pth']),
    ],
)
def test_slurm_scripts_call_srun(script, arguments, expected, tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nfor part in "$@"; do echo "$part"; done\n')
    srun.chmod(0o755)
    done = run(
        *('bash', TOOLS / f'{script}.sh', 'gpu', 'job', *arguments),
        *('--work-dir', 'a folder'),
        cwd=tmp_path,
        PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        GPUS='8',
        SRUN_ARGS='--mem=8G --exclusive',
        PYTHON='python',
    )
    called = done.stdout.splitlines()
    assert called[:4] == [
        '--partition=gpu',
        '--job-name=job',
        '--gres=gpu:4',
        '--ntasks=8',
    ]
    assert called[7:9] == ['--mem=8G', '--exclusive']
    assert called[9:] == [
        *('python', '-u', str(TOOLS / expected[0]), *expected[1:]),
        *('--launcher', 'slurm', '--work-dir', 'a folder'),
    ]
