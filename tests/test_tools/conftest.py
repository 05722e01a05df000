import sys

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS


@pytest.fixture
def call(monkeypatch):
    def run(module, *arguments):
        argv = [module.__file__, *map(str, arguments)]
        monkeypatch.setattr(sys, 'argv', argv)
        module.main()

    return run


@pytest.fixture
def trained(tiny_config, tmp_path):
    """A config, and a checkpoint whose learners all differ."""
    cfg = tiny_config()
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point() and value.ndim > 1:
                value.normal_(std=0.1)
    cfg.dump(tmp_path / 'tiny.py')
    meta = dict(
        iter=7, seed=3, dataset_meta=dict(classes=('a', 'b', 'c', 'd'))
    )
    checkpoint = dict(state_dict=model.state_dict(), meta=meta)
    torch.save(checkpoint, tmp_path / 'iter_7.pth')
    return tmp_path
