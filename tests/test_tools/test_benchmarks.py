"""Every benchmark runs at a tiny size and says what it found."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from rml_mmseg.experiments.benchmarks import load_training, run_measured
from tools.benchmarks import (
    cache,
    ema,
    memory,
    options,
    paper_memory,
    pipeline,
    rectifier,
    resume,
    run_all,
    scaling,
    step,
)

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / 'tests' / 'tiny_mutual.py'
TOOLS = dict(
    cache=cache,
    ema=ema,
    memory=memory,
    options=options,
    paper_memory=paper_memory,
    pipeline=pipeline,
    rectifier=rectifier,
    resume=resume,
    scaling=scaling,
    step=step,
)


@pytest.fixture
def measure(call, tmp_path, monkeypatch):
    """Function that runs a benchmark on a CPU and gives its JSON."""

    def run(module, *arguments):
        out = tmp_path / 'out.json'
        call(module, *arguments, '--device', 'cpu', '--out', out)
        return json.loads(out.read_text('utf-8'))

    return run


@pytest.fixture
def tiny(tiny_data, monkeypatch):
    """Path of the tiny config, with its data in place."""
    monkeypatch.setenv('DATA_ROOT', str(tiny_data))
    return TINY


def rows_of(content):
    return next(iter(content['tables'].values()))


def test_rectifier(measure):
    content = measure(
        rectifier,
        *('--images', 2, '--channels', 8, '--classes', 5, '--rounds', 2),
        *('--features', 9, 17, '--labels', 32, 64),
    )
    (row,) = rows_of(content)
    # The loop is the reference that the package is held against.
    assert row['same_labels'] > 0.999
    assert row['loop_ms'] > 0 and row['rounds'] == 2
    assert content['targets'][0]['at_most'] == 2


def test_ema(measure):
    content = measure(ema, '--depth', 18, '--rounds', 2)
    assert [row['side'] for row in rows_of(content)] == [
        'package',
        'mmengine',
        'loop',
    ]


def test_cache(measure):
    content = measure(
        cache,
        *('--images', 1, '--classes', 7, '--rounds', 1),
        *('--logits', 9, 17, '--size', 64, 128),
    )
    (row,) = rows_of(content)
    assert row['same_labels'] > 0.98 and row['smaller_than_float32'] > 1


@pytest.mark.parametrize('present', [False, True])
def test_pipeline(measure, tiny_data, present):
    folder = tiny_data if present else tiny_data / 'absent'
    for path in (tiny_data / 'img_dir/train').glob('0[4-9].png'):
        path.unlink()
    content = measure(
        pipeline,
        *('--images', 2, '--rounds', 1, '--data-root', folder),
        *('--source', 48, 64, '--crop', 32, 48),
    )
    assert len(rows_of(content)) == 4
    assert ('generated' in content['notes'][0]) != present


def test_step(measure, tiny):
    content = measure(
        step, tiny, '--rounds', 2, '--warm-up', 1, '--breakdown', 1
    )
    rows = {row['side']: row for row in rows_of(content)}
    assert set(rows) == {'floor', 'step', 'look', 'stock supervised'}
    assert rows['floor']['over_floor'] == 1
    parts = content['tables'][list(content['tables'])[1]]
    assert {'teachers', 'students', 'EMA', 'rectifier', 'data wait'} <= {
        part['part'] for part in parts
    }
    assert sum(part['percent'] for part in parts) == pytest.approx(100)
    assert len(content['targets']) == 4


def test_options(measure, tiny):
    content = measure(
        options,
        tiny,
        *('--rounds', 1, '--warm-up', 0),
        *('--options', 'joint_forward', 'with_cp'),
    )
    rows = {row['option']: row for row in rows_of(content)}
    # Checkpointing must save memory, or it was not switched on.
    assert rows['with_cp']['memory'] < 1


def test_resume(measure, tiny):
    content = measure(resume, tiny, '--iteration', 500, '--rounds', 1)
    assert [row['side'] for row in rows_of(content)] == [
        'fresh',
        'resumed',
        'resumed as the fork does',
    ]
    assert 'more minutes' in content['notes'][-1]


def test_scaling(measure):
    content = measure(
        scaling,
        *('--processes', '--classes', 4, 8, '--sides', 32, 48, '--rounds', 2),
    )
    assert len(content['tables']) == 2 and len(content['targets']) == 2


def test_two_processes(tiny, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    args = scaling.parse_args(
        [str(tiny), '--iterations', '2', '--device', 'cpu']
    )
    found = scaling.train(2, args)
    assert len(found['seconds']) == 2 and found['batch'] == 2


def test_memory(measure, tiny):
    content = measure(memory, tiny, '--first', 1, '--last', 3, '--traced', 2)
    assert [row['iteration'] for row in rows_of(content)] == [1, 2, 3]
    assert len(content['targets']) == 2


def test_memory_of_the_paper_is_computed(measure):
    path = ROOT / 'configs/rml/deeplabv2_deeplabv2_city_1-8.py'
    (row,) = rows_of(measure(paper_memory, path))
    # Two DeepLabV2 on ResNet-101, which has 42.5 million weights itself.
    assert 90 < row['weights of students, million'] < 140
    assert row['images a step'] == 4
    fixed = row['weights, gradients, optimisers, teachers, GB']
    # SGD: weights, gradients, momentum and teachers, 4 bytes each.
    assert fixed == pytest.approx(
        row['weights of students, million'] * 16 / 1000
    )
    assert row['activations with_cp, GB'] < row['activations, GB']
    half = row['activations in 16 bits, GB'] / row['activations, GB']
    assert 0.45 < half < 0.65


def test_every_strong_view_takes_memory(measure):
    path = ROOT / 'configs/camvid_480x360/unimatch_deeplabv2_camvid_1-8.py'
    (row,) = rows_of(measure(paper_memory, path))
    batch = Config.fromfile(path).train_dataloader.batch_size
    # Labelled images, two strong views, and the weak view's features.
    assert row['images a step'] == 4 * batch


def test_training_without_data_reads_generated_scenes(tmp_path, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(tmp_path / 'absent'))
    cfg, source = load_training(TINY, tmp_path, size=(48, 64))
    assert 'generated' in source
    losses = []

    def measure(loop):
        loop.iteration()
        losses.append(loop.iter)

    run_measured(cfg, measure)
    assert losses == [1]


def test_trainings_of_one_process_need_no_folder_of_another(tmp_path):
    # The name in mmseg's own configs, of which mmengine keeps one instance.
    options = {'visualizer.name': 'visualizer'}
    for name in ('first', 'second'):
        folder = tmp_path / name
        cfg, _ = load_training(TINY, folder, options, size=(48, 64))
        run_measured(cfg, lambda loop: loop.iteration())
        (saved,) = folder.rglob('vis_data/config.py')
        assert saved.is_file()
        shutil.rmtree(folder)


class TestRunAll:
    def test_of_a_gpu_are_other_commands(self, call, monkeypatch, tmp_path):
        commands = []

        def run(command):
            commands.append(command)
            return subprocess.CompletedProcess(command, 0)

        monkeypatch.setattr(subprocess, 'run', run)
        for gpu, names in (
            (False, run_all.COMMANDS),
            (True, run_all.GPU_COMMANDS),
        ):
            monkeypatch.setattr(torch.cuda, 'is_available', lambda g=gpu: g)
            call(run_all, '--out', tmp_path)
            written = [Path(c[-1]).stem for c in commands]
            assert written == list(names)
            commands.clear()

    @pytest.mark.parametrize(
        'name', [*run_all.COMMANDS, *run_all.GPU_COMMANDS]
    )
    def test_arguments_are_those_of_the_tools(self, name):
        for commands in (run_all.COMMANDS, run_all.GPU_COMMANDS):
            if name in commands:
                tool, *arguments = commands[name]
                TOOLS[tool].parse_args(arguments)

    def test_names_of_another_machine_are_refused(self, call, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(SystemExit, match='--only step_16: .*rectifier'):
            call(run_all, '--only', 'step_16')


@pytest.mark.parametrize('option', ['float16', 'cuda_graphs'])
def test_what_only_a_gpu_has_is_refused_on_a_cpu(call, monkeypatch, option):
    # Also on a machine with a GPU.
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    with pytest.raises(SystemExit, match=f'{option} on cpu: .*bfloat16'):
        call(options, '--options', option, 'with_cp', '--device', 'cpu')
