"""Weights that cannot be downloaded are named by their settings."""

from urllib.error import URLError

import pytest

from rml_mmseg.engine.checks.downloads import downloads_explained

WEIGHTS = 'https://example.org/weights.pth'


def test_settings_are_named():
    init = dict(type='Pretrained', checkpoint=WEIGHTS)
    network = dict(pretrained='torchvision://resnet18', depth=18)
    cfg = dict(
        model=dict(segmentors=[dict(backbone=dict(init_cfg=init)), network])
    )
    with (
        pytest.raises(RuntimeError, match='cannot be downloaded') as caught,
        downloads_explained(cfg),
    ):
        raise URLError('no such host')
    assert str(caught.value).splitlines()[1:] == [
        f'  model.segmentors.0.backbone.init_cfg.checkpoint = {WEIGHTS!r}',
        "  model.segmentors.1.pretrained = 'torchvision://resnet18'",
    ]


def test_other_errors_stay_as_they_are():
    with pytest.raises(OSError, match='disk'), downloads_explained({}):
        raise OSError('disk')
