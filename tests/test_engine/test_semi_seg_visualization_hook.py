"""Pictures through the visualiser of real runs of toys."""

import cv2
import pytest
import torch
from mmengine.hooks import Hook

from rml_mmseg.engine import SemiSegVisualizationHook
from rml_mmseg.visualization import panel_picture
from tests.toys import toy_model_cfg, toy_runner

RUNS = iter(range(1000))


class Watcher(Hook):
    """Notes in which iterations the model keeps a record."""

    def __init__(self):
        self.kept = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.kept.append(runner.model.record is not None)

    def after_train(self, runner):
        assert runner.model.record is None


def run(folder, hooks, masks=False, backends=None, **settings):
    watcher = Watcher()
    runner = toy_runner(
        folder,
        masks=masks,
        hooks=[watcher],
        custom_hooks=[dict(type='MutualEMAHook', momentum=0.9), *hooks],
        visualizer=dict(
            type='SegLocalVisualizer',
            vis_backends=backends or [dict(type='LocalVisBackend')],
            name=f'panels_{next(RUNS)}',
        ),
        **settings,
    )
    runner.train()
    return watcher


def pictures(folder):
    return sorted(
        path.name
        for path in folder.rglob('*.png')
        if 'vis_image' in path.parts
    )


def test_draws_every_n_iterations(tmp_path):
    hook = dict(type='SemiSegVisualizationHook', interval=2, images=2)
    watcher = run(tmp_path, [hook])
    names = [f'panels_{n}_{step}.png' for n in (0, 1) for step in (2, 4)]
    assert pictures(tmp_path) == names
    path = next(tmp_path.rglob('panels_0_2.png'))
    height, width = cv2.imread(str(path)).shape[:2]
    # Four columns: a view, two labels, a prediction.
    assert width == 4 * panel_picture.CELL * panel_picture.DPI
    assert height > 300
    assert watcher.kept == [False, True, False, True]


def test_costs_nothing_where_it_does_not_draw(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError('nothing is due')

    for name in ('panel_grid', 'draw_panels', 'class_colours'):
        monkeypatch.setattr(
            f'rml_mmseg.engine.hooks.semi_seg_visualization_hook.{name}', fail
        )
    hook = dict(type='SemiSegVisualizationHook', interval=5)
    assert run(tmp_path, [hook]).kept == [False] * 4
    assert pictures(tmp_path) == []


def test_shares_the_record_with_the_monitor(tmp_path):
    hooks = [
        dict(type='SemiSegVisualizationHook', interval=2),
        dict(type='PseudoLabelMonitorHook', interval=3),
        dict(type='SemiSegVisualizationHook', interval=3),
    ]
    watcher = run(tmp_path, hooks, masks=True)
    assert watcher.kept == [False, True, True, True]
    assert pictures(tmp_path) == [f'panels_0_{i}.png' for i in (2, 3, 4)]


def test_burn_in_is_not_drawn(tmp_path):
    run(
        tmp_path,
        [dict(type='SemiSegVisualizationHook', interval=1)],
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=4, burn_in_iters=2
        ),
    )
    assert pictures(tmp_path) == [f'panels_0_{i}.png' for i in (3, 4)]


@pytest.mark.parametrize(
    'semi',
    [
        dict(self_weight=0.0, peer_source='student'),
        dict(peer_source='student'),
        dict(confidence=0.5),
        dict(peer_weight=0.0),
    ],
)
def test_every_kind_of_teaching_is_drawn(tmp_path, semi):
    run(
        tmp_path,
        [dict(type='SemiSegVisualizationHook', interval=4)],
        masks=True,
        model=toy_model_cfg(
            rectifier='self_weight' not in semi, semi_train_cfg=semi
        ),
    )
    assert pictures(tmp_path) == ['panels_0_4.png']


@pytest.mark.parametrize('setting', ['interval', 'images'])
def test_settings_below_one(setting):
    with pytest.raises(
        ValueError, match=f'{setting} must be .* 1 or more, got 0'
    ):
        SemiSegVisualizationHook(**{setting: 0})


def test_nothing_is_drawn_beside_the_main_process(monkeypatch):
    name = 'rml_mmseg.engine.hooks.semi_seg_visualization_hook.is_main_process'
    monkeypatch.setattr(name, lambda: False)
    runner = type('Runner', (), dict(iter=0, model=torch.nn.Module()))()
    runner.model.record = None
    hook = SemiSegVisualizationHook(interval=1)
    hook.before_train_iter(runner, 0)
    assert runner.model.record is None
    hook.after_train_iter(runner, 0)
