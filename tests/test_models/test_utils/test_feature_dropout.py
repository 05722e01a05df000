import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from rml_mmseg.models.utils.feature_dropout import (
    drop_channels,
    dropped_forward,
)
from tests.toys import toy_segmentor

IMAGES = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def segmentor():
    torch.manual_seed(0)
    return MODELS.build(toy_segmentor(norm=True)).train()


def test_whole_channels_are_dropped_and_the_others_scaled():
    torch.manual_seed(0)
    levels = (torch.ones(3, 40, 2, 2), [torch.ones(1, 8, 1, 3)])
    dropped = drop_channels(levels, 0.75)
    assert isinstance(dropped, tuple) and isinstance(dropped[1], list)
    for level in (dropped[0], dropped[1][0]):
        values = level.flatten(2)
        assert (values == values[..., :1]).all()
        assert set(values.unique().tolist()) <= {0.0, 4.0}
    assert 0.6 < (dropped[0] == 0).float().mean() < 0.9


def test_logits_are_those_of_dropped_features(segmentor):
    torch.manual_seed(1)
    logits = dropped_forward(segmentor, IMAGES, 0.5)
    torch.manual_seed(1)
    (features,) = segmentor.extract_feat(IMAGES)
    wanted = segmentor.decode_head([F.dropout2d(features, 0.5)])
    assert torch.equal(logits, wanted)
    assert not torch.equal(logits, segmentor._forward(IMAGES))
    # The encoder is as it was before.
    assert not segmentor.backbone._forward_hooks


def test_the_neck_is_the_end_of_an_encoder():
    cfg = toy_segmentor()
    cfg['neck'] = dict(type='FPN', in_channels=[4], out_channels=4, num_outs=1)
    torch.manual_seed(0)
    segmentor = MODELS.build(cfg).train()
    torch.manual_seed(1)
    logits = dropped_forward(segmentor, IMAGES, 0.5)
    torch.manual_seed(1)
    (features,) = segmentor.extract_feat(IMAGES)
    wanted = segmentor.decode_head([F.dropout2d(features, 0.5)])
    assert torch.equal(logits, wanted)


@pytest.mark.parametrize('statistics', [True, False])
def test_running_statistics_move_only_if_they_shall(segmentor, statistics):
    before = segmentor.backbone.norm.running_mean.clone()
    dropped_forward(segmentor, IMAGES, 0.5, statistics)
    after = segmentor.backbone.norm.running_mean
    assert torch.equal(before, after) == (not statistics)
