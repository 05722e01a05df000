from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from rml_mmseg.datasets.pinned_collate import PinnedCollate
from rml_mmseg.engine.checks.trials import try_batch
from rml_mmseg.engine.loops.training_dataloader import training_dataloader


def build(config, **_):
    return DataLoader([0, 1], collate_fn=pseudo_collate, **config)


RUNNER = SimpleNamespace(
    seed=0, _randomness_cfg={}, hooks=[], build_dataloader=build
)


@pytest.mark.parametrize(
    'gpu, settings, pinned',
    [
        (True, dict(num_workers=1), True),
        (True, dict(num_workers=1, pin_memory=True), True),
        (True, dict(num_workers=1, pin_memory=False), False),
        (True, dict(num_workers=0), False),
        (False, dict(num_workers=1), False),
    ],
)
def test_batches_of_workers_are_pinned_for_a_gpu(
    gpu, settings, pinned, monkeypatch
):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    loader = training_dataloader(RUNNER, settings)
    assert loader.pin_memory == pinned
    assert isinstance(loader.collate_fn, PinnedCollate) == pinned


@pytest.mark.parametrize('asked', [False, True])
def test_a_loader_that_is_built_pins_if_it_says_so(asked, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    built = build(dict(num_workers=1, pin_memory=asked))
    loader = training_dataloader(RUNNER, built)
    assert loader is built
    assert loader.pin_memory == asked
    assert isinstance(loader.collate_fn, PinnedCollate) == asked


def test_a_batch_is_tried_as_well(tiny_config, monkeypatch):
    cfg = tiny_config({'train_dataloader.num_workers': 1})
    runner = Runner.from_cfg(cfg)
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, 'is_available', lambda: True)
        loader = training_dataloader(runner, cfg.train_dataloader)
    assert isinstance(loader.collate_fn, PinnedCollate)
    try_batch(loader, runner.model)
