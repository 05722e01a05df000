"""Scalars and panels in every backend, each with its real library.

Nothing here needs a network: W&B is offline and MLflow writes to a file.
"""

import gc
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.forks import FORK, PATIENCE
from tests.toys import toy_runner

SCALAR = 'monitor/total_variation'


def train(folder, backend):
    """A run that sends scalars and panels to one backend."""
    runner = toy_runner(
        folder,
        custom_hooks=[
            dict(type='MutualEMAHook', momentum=0.9),
            dict(type='PseudoLabelMonitorHook', interval=1),
            dict(type='SemiSegVisualizationHook', interval=2),
        ],
        default_hooks=dict(
            checkpoint=None,
            logger=dict(type='LoggerHook', interval=1),
        ),
        log_processor=dict(by_epoch=False),
        visualizer=dict(
            type='SegLocalVisualizer',
            vis_backends=[backend],
            name=f'{backend["type"]}_{folder.name}',
        ),
    )
    runner.train()
    return Path(runner.log_dir) / 'vis_data'


def test_tensorboard(tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing import event_accumulator

    folder = train(tmp_path, dict(type='TensorboardVisBackend'))
    events = event_accumulator.EventAccumulator(str(folder)).Reload()
    assert [e.step for e in events.Scalars(SCALAR)] == [1, 2, 3, 4]
    assert [e.step for e in events.Images('panels_0')] == [2, 4]


def train_with_wandb(folder, backend):
    # Collected while W&B is parsed, garbage ends Python 3.11's parser with
    # "AST constructor recursion depth mismatch" now and then.
    gc.disable()
    train(folder, backend)
    # W&B writes in a separate process; wait for it.
    importlib.import_module('wandb').finish()


@pytest.mark.skipif(find_spec('wandb') is None, reason='wandb is not there')
def test_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv('WANDB_SILENT', 'true')
    options = dict(mode='offline', project='test')
    backend = dict(type='WandbVisBackend', init_kwargs=options)
    # W&B's threads would stay and start again in processes of later tests.
    process = FORK.Process(target=train_with_wandb, args=(tmp_path, backend))
    process.start()
    # W&B's service takes a minute to start if all cores are busy.
    process.join(5 * PATIENCE)
    assert process.exitcode == 0
    (folder,) = tmp_path.glob('work/*/vis_data/wandb')
    pictures = list(folder.glob('offline-run-*/files/media/images/*.png'))
    assert len(pictures) == 2
    assert all(path.name.startswith('panels_0_') for path in pictures)
    (logged,) = folder.glob('offline-run-*/run-*.wandb')
    assert SCALAR.encode() in logged.read_bytes()


def test_mlflow(tmp_path):
    mlflow = pytest.importorskip('mlflow')
    uri = f'sqlite:///{tmp_path}/mlflow.db'
    backend = dict(
        type='MLflowVisBackend',
        exp_name='test',
        tracking_uri=uri,
        artifact_location=str(tmp_path / 'artifacts'),
    )
    train(tmp_path, backend)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name('test')
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, SCALAR)
    assert [metric.step for metric in history] == [1, 2, 3, 4]
    names = [item.path for item in client.list_artifacts(run.info.run_id)]
    assert {'panels_0_2.png', 'panels_0_4.png'} <= set(names)


def test_local(tmp_path):
    folder = train(tmp_path, dict(type='LocalVisBackend'))
    assert SCALAR in (folder / 'scalars.json').read_text()
    assert (folder / 'vis_image' / 'panels_0_4.png').exists()
