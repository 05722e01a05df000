"""Every head of mmseg gives the pixel probabilities of its own test."""

import copy
from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS

from rml_mmseg.models.utils.heads import (
    class_probs,
    feature_layer,
    final_head,
    forward_logits,
    mask_logits,
)
from rml_mmseg.models.utils.segmentor_forward import logits_of
from tests.toys import total, toy_batch, toy_mutual, toy_segmentor

IMAGES = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
NORM = dict(type='BN')
LOSS = dict(type='CrossEntropyLoss', avg_non_ignore=True)
OHEM = dict(type='OhemCrossEntropy', thres=0.9, min_kept=100)
needs_mmdet = pytest.mark.skipif(
    find_spec('mmdet') is None or find_spec('mmcv._ext') is None,
    reason='heads that predict masks need mmdet and the full mmcv',
)


def knet():
    update = dict(
        type='KernelUpdateHead',
        num_classes=3,
        num_ffn_fcs=2,
        num_heads=2,
        num_mask_fcs=1,
        feedforward_channels=8,
        in_channels=4,
        out_channels=4,
        conv_kernel_size=1,
        ffn_act_cfg=dict(type='ReLU'),
        feat_transform_cfg=dict(conv_cfg=dict(type='Conv2d'), act_cfg=None),
        kernel_updator_cfg=dict(
            type='KernelUpdator',
            in_channels=4,
            feat_channels=4,
            out_channels=4,
            norm_cfg=dict(type='LN'),
        ),
    )
    cfg = toy_segmentor()
    cfg['decode_head'] = dict(
        type='IterativeDecodeHead',
        num_stages=2,
        kernel_update_head=[copy.deepcopy(update) for _ in range(2)],
        kernel_generate_head=cfg['decode_head'],
    )
    return cfg


def danet():
    cfg = toy_segmentor()
    cfg['decode_head'] = dict(
        type='DAHead',
        in_channels=4,
        channels=4,
        pam_channels=2,
        dropout_ratio=0.0,
        num_classes=3,
        norm_cfg=NORM,
        loss_decode=LOSS,
    )
    return cfg


def pidnet():
    return dict(
        type='EncoderDecoder',
        backbone=dict(
            type='PIDNet',
            channels=4,
            ppm_channels=4,
            num_stem_blocks=1,
            num_branch_blocks=1,
            norm_cfg=NORM,
        ),
        decode_head=dict(
            type='PIDHead',
            in_channels=16,
            channels=8,
            num_classes=3,
            norm_cfg=NORM,
            dropout_ratio=0.0,
            loss_decode=[LOSS, OHEM, dict(type='BoundaryLoss'), OHEM],
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def pointrend():
    cfg = toy_segmentor(stride=2)
    point = dict(
        type='PointHead',
        in_channels=[4],
        in_index=[0],
        channels=4,
        num_fcs=1,
        coarse_pred_each_layer=True,
        dropout_ratio=-1,
        num_classes=3,
        loss_decode=LOSS,
    )
    cfg.update(
        type='CascadeEncoderDecoder',
        num_stages=2,
        decode_head=[cfg['decode_head'], point],
        train_cfg=ConfigDict(
            num_points=16, oversample_ratio=3, importance_sample_ratio=0.75
        ),
        test_cfg=ConfigDict(
            mode='whole',
            subdivision_steps=1,
            subdivision_num_points=16,
            scale_factor=2,
        ),
    )
    return cfg


def segmenter():
    cfg = toy_segmentor(stride=2)
    cfg['decode_head'] = dict(
        type='SegmenterMaskTransformerHead',
        in_channels=4,
        channels=4,
        num_classes=3,
        num_layers=1,
        num_heads=2,
        embed_dims=8,
        dropout_ratio=0.0,
        loss_decode=LOSS,
    )
    return cfg


def mask2former():
    attention = dict(embed_dims=16, num_heads=2, batch_first=True)
    feed = dict(
        embed_dims=16,
        feedforward_channels=16,
        act_cfg=dict(type='ReLU', inplace=True),
    )
    position = dict(num_feats=8, normalize=True)
    loss_mask = dict(
        type='mmdet.CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0
    )
    loss_dice = dict(
        type='mmdet.DiceLoss',
        use_sigmoid=True,
        activate=True,
        naive_dice=True,
        eps=1.0,
    )
    return ConfigDict(
        type='EncoderDecoder',
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=4,
            norm_cfg=NORM,
            stem_channels=4,
        ),
        decode_head=dict(
            type='Mask2FormerHead',
            in_channels=[4, 8, 16, 32],
            strides=[4, 8, 16, 32],
            feat_channels=16,
            out_channels=16,
            num_classes=3,
            num_queries=6,
            num_transformer_feat_level=3,
            pixel_decoder=dict(
                type='mmdet.MSDeformAttnPixelDecoder',
                num_outs=3,
                norm_cfg=dict(type='GN', num_groups=4),
                act_cfg=dict(type='ReLU'),
                encoder=dict(
                    num_layers=1,
                    layer_cfg=dict(
                        self_attn_cfg=dict(
                            attention, num_levels=3, num_points=2
                        ),
                        ffn_cfg=feed,
                    ),
                ),
                positional_encoding=position,
            ),
            positional_encoding=position,
            transformer_decoder=dict(
                return_intermediate=True,
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=attention,
                    cross_attn_cfg=attention,
                    ffn_cfg=feed,
                ),
            ),
            loss_cls=dict(
                type='mmdet.CrossEntropyLoss',
                loss_weight=2.0,
                class_weight=[1.0] * 3 + [0.1],
            ),
            loss_mask=loss_mask,
            loss_dice=loss_dice,
            train_cfg=dict(
                num_points=64,
                oversample_ratio=3.0,
                importance_sample_ratio=0.75,
                assigner=dict(
                    type='mmdet.HungarianAssigner',
                    match_costs=[
                        dict(type='mmdet.ClassificationCost', weight=2.0),
                        dict(
                            type='mmdet.CrossEntropyLossCost',
                            weight=5.0,
                            use_sigmoid=True,
                        ),
                        dict(type='mmdet.DiceCost', pred_act=True, eps=1.0),
                    ],
                ),
                sampler=dict(type='mmdet.MaskPseudoSampler'),
            ),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def build(cfg):
    torch.manual_seed(0)
    network = MODELS.build(copy.deepcopy(cfg))
    network.init_weights()
    return network


def metas():
    size = tuple(IMAGES.shape[2:])
    return [dict(img_shape=size, ori_shape=size) for _ in IMAGES]


@pytest.mark.parametrize(
    ('make', 'others'), [(knet, [0, 1]), (danet, [1, 2]), (pidnet, [0, 2])]
)
def test_of_several_outputs_it_is_the_one_of_tests(make, others):
    network = build(make())
    for module in network.modules():
        # Batch statistics would differ between training and tests.
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            module.track_running_stats = False
            module.running_mean = module.running_var = None
    raw = network.train()._forward(IMAGES)
    assert not isinstance(raw, torch.Tensor)
    logits = forward_logits(network, IMAGES)
    tested = forward_logits(network.eval(), IMAGES)
    torch.testing.assert_close(logits, tested)
    for i in others:
        other = raw[i]
        assert other.shape != tested.shape or not torch.allclose(other, tested)


NETWORKS = [knet, danet, pidnet, pointrend, segmenter]


@pytest.mark.parametrize('make', NETWORKS)
def test_features_are_what_a_classifier_reads(make):
    network = build(make()).eval()
    found = feature_layer(network)
    logits, features = logits_of(network, IMAGES, True)
    assert features.shape[1] == found.channels
    assert torch.equal(logits, forward_logits(network, IMAGES))
    if make is pointrend:
        assert torch.equal(logits, found.layer(features))


def test_segmenter_s_features_are_those_of_its_patches():
    network = build(segmenter()).eval()
    head = network.decode_head
    found = []
    head.classes_proj.register_forward_hook(
        lambda module, args, output: found.append(output)
    )
    logits, features = logits_of(network, IMAGES, True)
    patches = F.normalize(features).flatten(2).mT
    masks = head.mask_norm(patches @ F.normalize(found[0], dim=2).mT)
    torch.testing.assert_close(logits, masks.mT.reshape_as(logits))


@pytest.mark.parametrize('make', NETWORKS)
def test_two_of_a_kind_teach_each_other(make):
    model = toy_mutual(segmentors=[make(), make()])
    inputs, samples = toy_batch(size=(64, 96))
    for sample in samples['labelled']:
        edges = torch.zeros_like(sample.gt_sem_seg.data)
        sample.set_data({'gt_edge_map': PixelData(data=edges)})
    losses = model.loss(inputs, samples)
    total(losses).backward()
    assert losses['students.0.loss_peer1'] > 0
    for student in model.students:
        grad = feature_layer(student).layer.weight.grad
        assert grad.isfinite().all()
        assert grad.abs().sum() > 0


def test_pointrend_learns_before_its_points_are_improved():
    network = build(pointrend()).eval()
    first, points = network.decode_head
    assert final_head(network) is first is not points
    expected = first.forward(network.extract_feat(IMAGES))
    assert torch.equal(forward_logits(network, IMAGES), expected)


def test_masks_become_logits_of_their_semantic_inference():
    draw = torch.Generator().manual_seed(1)
    classes = torch.randn(2, 5, 4, generator=draw)
    masks = torch.randn(2, 5, 3, 6, generator=draw)
    sums = torch.zeros(2, 3, 3, 6)
    for n in range(2):
        for q in range(5):
            for k in range(3):
                share = classes[n, q].softmax(0)[k]
                sums[n, k] += share * masks[n, q].sigmoid()
    logits = mask_logits(classes, masks)
    probs = logits.softmax(1)
    torch.testing.assert_close(probs, sums / sums.sum(1, keepdim=True))
    # Half precision would lose small classes.
    assert mask_logits(classes.half(), masks.half()).dtype == torch.float32


def test_what_no_mask_has_is_finite():
    classes = torch.full((1, 2, 3), -300.0)
    classes[..., -1] = 300.0
    masks = torch.full((1, 2, 4, 4), -300.0)
    classes.requires_grad_(True)
    logits = mask_logits(classes, masks)
    logits.log_softmax(1)[:, 0].mean().backward()
    assert logits.isfinite().all()
    assert classes.grad.isfinite().all()


@needs_mmdet
class TestMask2Former:
    def test_predicts_the_classes_that_it_is_tested_by(self):
        network = build(mask2former()).eval()
        with torch.no_grad():
            tested = network.encode_decode(IMAGES, metas())
            logits = forward_logits(network, IMAGES)
        assert logits.shape == (2, 3, 16, 24)
        # Tests resize masks before they are summed.
        inner = tested[..., 2::4, 2::4].argmax(1)
        assert (logits.argmax(1) == inner).float().mean() > 0.9
        probs = class_probs(network, tested)
        torch.testing.assert_close(probs, tested / tested.sum(1, True))

    def test_learns_with_another_network_and_the_rectifier(self):
        torch.manual_seed(0)
        model = toy_mutual(segmentors=[mask2former(), toy_segmentor()])
        assert feature_layer(model.students[0]).channels == 16
        losses = model.loss(*toy_batch(size=(64, 96)))
        total(losses).backward()
        head = model.students[0].decode_head
        for name in ('cls_embed', 'pixel_decoder'):
            grads = [p.grad for p in getattr(head, name).parameters()]
            assert any(g is not None and g.abs().sum() > 0 for g in grads)

    def test_pseudo_labels_alone_teach_it(self):
        network = build(mask2former()).train()
        labels = torch.ones(2, 16, 24, dtype=torch.long)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
        costs = []
        for _ in range(20):
            logits = forward_logits(network, IMAGES)
            cost = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            costs.append(cost.item())
        assert costs[-1] < 0.1 * costs[0]
