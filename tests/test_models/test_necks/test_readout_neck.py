"""mmpretrain's vision transformers under mmseg's head of DPT."""

import pytest
import torch
from mmseg.registry import MODELS

from rml_mmseg.models import ReadoutNeck
from rml_mmseg.models.utils.feature_dropout import dropped_forward
from tests.toys import toy_batch, toy_mutual


def segmentor(readout='ignore'):
    return dict(
        type='EncoderDecoder',
        backbone=dict(
            type='mmpretrain.VisionTransformer',
            arch=dict(
                embed_dims=8,
                num_layers=4,
                num_heads=2,
                feedforward_channels=16,
            ),
            img_size=28,
            patch_size=14,
            out_indices=[0, 1, 2, 3],
            out_type='featmap',
        ),
        neck=dict(type='ReadoutNeck'),
        decode_head=dict(
            type='DPTHead',
            input_transform='multiple_select',
            in_channels=[8] * 4,
            in_index=[0, 1, 2, 3],
            embed_dims=8,
            post_process_channels=[4] * 4,
            readout_type=readout,
            patch_size=14,
            channels=4,
            norm_cfg=None,
            num_classes=3,
            align_corners=False,
        ),
    )


def test_the_mean_stands_for_the_token():
    levels = [torch.randn(2, 3, 4, 5), torch.randn(2, 6, 1, 1)]
    pairs = ReadoutNeck()(levels)
    for level, (same, token) in zip(levels, pairs):
        assert same is level
        assert torch.equal(token, level.flatten(2).mean(2))


@pytest.mark.parametrize('readout', ['ignore', 'add', 'project'])
def test_a_head_of_dpt_learns_mutually(readout):
    model = toy_mutual(segmentors=[segmentor(readout), segmentor(readout)])
    inputs, samples = toy_batch(size=(42, 56))
    losses = model.loss(inputs, samples)
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    head = model.students[0].decode_head
    assert head.conv_seg.weight.grad.abs().sum() > 0
    (result, *_) = model.eval().predict(inputs['weak'])
    assert result.seg_logits.data.shape == (3, 42, 56)


def test_channels_are_dropped_from_maps_and_tokens():
    torch.manual_seed(0)
    network = MODELS.build(segmentor('project')).train()
    seen = []
    network.decode_head.reassemble_blocks.register_forward_pre_hook(
        lambda module, args: seen.extend(args[0])
    )
    dropped_forward(network, torch.randn(2, 3, 42, 56), 0.5)
    assert any((token == 0).any() for _, token in seen)
    assert any((level == 0).flatten(2).all(2).any() for level, _ in seen)
