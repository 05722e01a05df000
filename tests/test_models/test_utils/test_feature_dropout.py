import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from rml_mmseg.models.utils.feature_dropout import (
    divide_channels,
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


def test_two_views_divide_the_channels_of_some_images():
    torch.manual_seed(0)
    labelled, images, channels = 3, 400, 10
    features = torch.randn(labelled + 2 * images, channels, 2, 3)
    divided = divide_channels(features, 0.25, start=labelled)
    assert torch.equal(divided[:labelled], features[:labelled])
    scales = (divided / features)[labelled:]
    # The same at every place of a map.
    scales = scales.flatten(2)
    torch.testing.assert_close(scales, scales[..., :1].expand_as(scales))
    first, second = scales[..., 0].round().view(2, images, channels)
    assert torch.equal(first + second, torch.full_like(first, 2.0))
    whole = (first == 1).all(1)
    assert 0.65 < whole.float().mean() < 0.85
    assert set(first[~whole].unique().tolist()) == {0.0, 2.0}
    assert 0.45 < (first[~whole] == 0).float().mean() < 0.55
    # Not the same channels in every image.
    assert len(first[~whole].unique(dim=0)) > 50


def test_levels_of_as_many_channels_are_divided_alike():
    torch.manual_seed(0)
    ones = torch.ones
    levels = ([ones(12, 8, 2, 2), ones(12, 8)], ones(12, 8, 1, 1), ones(12, 6))
    (maps, tokens), later, other = divide_channels(levels, 0.5)
    for level in (tokens, later[..., 0, 0]):
        assert torch.equal(maps[..., 0, 0], level)
    # Which images are divided is the same for all.
    assert torch.equal((tokens == 1).all(1), (other == 1).all(1))
    assert 0 < (tokens == 1).all(1).sum() < 12


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_no_image_or_every_one_is_divided(share):
    features = torch.ones(8, 16, 2, 2, dtype=torch.bfloat16)
    divided = divide_channels(features, share)
    assert divided.dtype == features.dtype
    assert bool((divided == 1).all()) == (share == 0)
    assert bool((divided != 1).all()) == (share == 1)


def test_as_many_channels_are_dropped_as_said():
    torch.manual_seed(0)
    segmentor = MODELS.build(toy_segmentor(channels=16)).train()
    torch.manual_seed(1)
    logits = dropped_forward(segmentor, IMAGES, 0.125)
    torch.manual_seed(1)
    (features,) = segmentor.extract_feat(IMAGES)
    wanted = segmentor.decode_head([F.dropout2d(features, 0.125)])
    assert torch.equal(logits, wanted)
