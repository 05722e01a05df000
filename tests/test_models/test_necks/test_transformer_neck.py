import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from rml_mmseg.models import TransformerNeck


def _neck(**kwargs):
    torch.manual_seed(0)
    settings = dict(
        in_channels=3,
        embed_dims=8,
        num_layers=2,
        num_heads=2,
        grid_size=(3, 4),
    )
    neck = TransformerNeck(**{**settings, **kwargs})
    neck.init_weights()
    return neck


def test_only_the_last_level_is_encoded():
    first, last = torch.randn(2, 5, 6, 8), torch.randn(2, 3, 3, 4)
    outputs = _neck()([first, last])
    assert len(outputs) == 2
    assert outputs[0] is first
    assert outputs[1].shape == (2, 8, 3, 4)


def test_without_layers_by_hand():
    neck = _neck(num_layers=0).eval()
    x = torch.randn(2, 3, 3, 4)
    mixed = torch.einsum(
        'dc,nchw->ndhw', neck.projection.weight[..., 0, 0], x
    ) + neck.projection.bias.view(1, -1, 1, 1)
    tokens = mixed + neck.position
    mean = tokens.mean(1, keepdim=True)
    deviation = (tokens - mean).square().mean(1, keepdim=True)
    expected = (tokens - mean) / (deviation + 1e-5).sqrt()
    torch.testing.assert_close(neck([x])[0], expected)


def test_tokens_see_the_whole_image():
    neck = _neck().eval()
    x = torch.randn(1, 3, 3, 4)
    changed = x.clone()
    changed[..., 0, 0] += 1
    difference = (neck([x])[0] - neck([changed])[0]).abs().sum(1)
    assert (difference > 0).all()


def test_position_is_resized_to_other_feature_maps():
    neck = _neck(num_layers=0).eval()
    with torch.no_grad():
        neck.position.copy_(
            torch.arange(8.0).view(1, 8, 1, 1).expand(1, 8, 3, 4)
        )
        neck.projection.weight.zero_()
    output = neck([torch.randn(1, 3, 6, 10)])[0]
    assert output.shape == (1, 8, 6, 10)
    # The same everywhere, and so after resizing.
    expected = neck([torch.randn(1, 3, 3, 4)])[0][..., :1, :1]
    torch.testing.assert_close(output, expected.expand_as(output))


def test_position_matters():
    neck = _neck().eval()
    constant = torch.ones(1, 3, 3, 4)
    output = neck([constant])[0]
    assert (output[..., 0, 0] - output[..., 2, 3]).abs().max() > 1e-3


def test_stochastic_depth_rises_linearly_and_acts_in_training_only():
    neck = _neck(num_layers=3, drop_path_rate=0.8)
    drops = [layer.ffn.dropout_layer for layer in neck.layers]
    assert isinstance(drops[0], nn.Identity)
    rates = [drop.drop_prob for drop in drops[1:]]
    assert rates == pytest.approx([0.4, 0.8])
    x = [torch.randn(4, 3, 3, 4)]
    assert not torch.equal(neck(x)[0], neck(x)[0])
    neck.eval()
    assert torch.equal(neck(x)[0], neck(x)[0])


def test_initialisation():
    neck = _neck(embed_dims=64, in_channels=3, mlp_ratio=2)
    assert neck.layers[0].ffn.layers[0][0].weight.shape == (128, 64)
    for weight in (
        neck.position,
        neck.layers[0].attn.attn.out_proj.weight,
        neck.layers[1].ffn.layers[1].weight,
    ):
        assert float(weight.std()) == pytest.approx(0.02, rel=0.15)
    assert not neck.layers[0].ffn.layers[1].bias.any()


@pytest.mark.parametrize('several', [False, True])
def test_pretrained_weights_stay(tmp_path, several):
    expected = _neck().state_dict()
    path = str(tmp_path / 'neck.pth')
    torch.save({key: value + 1 for key, value in expected.items()}, path)
    cfg = dict(type='Pretrained', checkpoint=path)
    found = _neck(init_cfg=[cfg] if several else cfg).state_dict()
    assert all(torch.equal(found[k], expected[k] + 1) for k in expected)


def test_every_parameter_takes_part():
    neck = _neck()
    neck([torch.randn(1, 3, 3, 4)])[0].square().sum().backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_is_registered():
    neck = MODELS.build(
        dict(
            type='TransformerNeck',
            in_channels=3,
            embed_dims=4,
            num_layers=1,
            num_heads=1,
            grid_size=(2, 2),
        )
    )
    assert isinstance(neck, TransformerNeck)
