from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from rml_mmseg.models.utils import segmentor_forward
from rml_mmseg.models.utils.heads import final_head
from rml_mmseg.models.utils.segmentor_forward import (
    are_of_one_size,
    can_join,
    feature_labels,
    kept_statistics,
    logits_of,
    resize_logits,
    student_forward,
)
from tests.toys import sample_of, toy_segmentor

IMAGES = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))


def _build(change=None, **kwargs):
    torch.manual_seed(0)
    cfg = toy_segmentor(**kwargs)
    if change:
        change(cfg)
    return MODELS.build(cfg)


def _with_auxiliary(cfg):
    cfg['auxiliary_head'] = dict(
        cfg['decode_head'],
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
    )


def _cascade(cfg):
    head = cfg['decode_head']
    point = dict(
        head,
        type='OCRHead',
        ocr_channels=4,
        norm_cfg=dict(type='BN'),
    )
    for key in ('num_convs', 'concat_input'):
        del point[key]
    cfg.update(
        type='CascadeEncoderDecoder',
        num_stages=2,
        decode_head=[head, point],
    )


def _samples(size=(6, 8)):
    draw = torch.Generator().manual_seed(1)
    masks = torch.randint(3, (2, *size), generator=draw)
    return [sample_of(mask) for mask in masks]


class TestLogitsOf:
    def test_logits_are_the_classifier_s_of_the_features(self):
        network = _build(stride=2).eval()
        logits, features = logits_of(network, IMAGES, True)
        assert features.shape == (2, 4, 3, 4)
        assert torch.equal(features, network.backbone(IMAGES)[0])
        assert torch.equal(logits, network.decode_head.conv_seg(features))
        assert torch.equal(logits_of(network, IMAGES)[0], logits)

    def test_no_features_unless_asked_for(self):
        assert logits_of(_build(), IMAGES)[1] is None

    def test_classifier_is_left_without_hooks(self):
        network = _build()
        logits_of(network, IMAGES, True)
        assert not network.decode_head.conv_seg._forward_pre_hooks
        with pytest.raises(RuntimeError):
            logits_of(network, torch.zeros(1, 5, 6, 8), True)
        assert not network.decode_head.conv_seg._forward_pre_hooks

    def test_cascade_gives_the_last_head_s(self):
        network = _build(_cascade).eval()
        logits, features = logits_of(network, IMAGES, True)
        head = network.decode_head[-1]
        assert final_head(network) is head
        assert torch.equal(logits, head.conv_seg(features))

    def test_padded_batches_are_not_cropped(self):
        # encode_decode would crop to the size before padding.
        sample = sample_of(torch.zeros(6, 8))
        sample.set_metainfo(dict(img_shape=torch.Size((4, 4))))
        logits, _ = logits_of(_build(), IMAGES)
        assert logits.shape == (2, 3, 6, 8)


class TestResizeLogits:
    @pytest.mark.parametrize('align_corners', [True, False])
    def test_as_the_head_does_in_float32(self, align_corners):
        network = _build()
        network.decode_head.align_corners = align_corners
        logits = torch.randn(1, 3, 2, 3).half()
        resized = resize_logits(network, logits, torch.Size((5, 7)))
        expected = F.interpolate(
            logits.float(),
            (5, 7),
            mode='bilinear',
            align_corners=align_corners,
        )
        assert resized.dtype == torch.float32
        assert torch.equal(resized, expected)


class TestCanJoin:
    def test_stock_segmentor(self):
        assert can_join(_build())

    def test_segmentor_with_a_loss_of_its_head(self):
        network = _build()
        method = '_decode_head_forward_train'
        own = type('Own', (type(network),), {method: lambda *_: {}})
        network.__class__ = own
        assert not can_join(network)

    def test_segmentor_or_head_with_a_loss_of_its_own(self):
        assert not can_join(_build(_cascade))
        network = _build()
        kind = type(network.decode_head)
        own = type('Own', (kind,), {'loss_by_feat': lambda *_: {}})
        network.decode_head.__class__ = own
        assert not can_join(network)


class TestAreOfOneSize:
    network = torch.nn.Sequential(torch.nn.SyncBatchNorm(3))

    def test_alone(self):
        assert are_of_one_size(self.network, IMAGES, IMAGES[:1])
        assert not are_of_one_size(self.network, IMAGES, IMAGES[..., :4])

    @pytest.mark.parametrize('others', [0, 1])
    def test_synchronised_networks_ask_the_other_processes(
        self, monkeypatch, others
    ):
        def all_reduce(flag, op):
            assert op == 'min'
            flag.clamp_(max=others)

        monkeypatch.setattr(segmentor_forward, 'get_world_size', lambda: 2)
        monkeypatch.setattr(segmentor_forward, 'all_reduce', all_reduce)
        assert are_of_one_size(self.network, IMAGES, IMAGES) == bool(others)
        assert not are_of_one_size(self.network, IMAGES, IMAGES[..., :4])

    def test_other_networks_and_padded_images_do_not(self, monkeypatch):
        monkeypatch.setattr(segmentor_forward, 'get_world_size', lambda: 2)
        monkeypatch.setattr(segmentor_forward, 'all_reduce', None)
        assert are_of_one_size(torch.nn.BatchNorm2d(3), IMAGES, IMAGES)
        model = torch.nn.Sequential(torch.nn.SyncBatchNorm(3))
        base = SimpleNamespace(size=(6, 8))
        model.data_preprocessor = SimpleNamespace(base=base)
        assert are_of_one_size(model, IMAGES, IMAGES)


class TestStudentForward:
    @pytest.mark.parametrize('change', [None, _with_auxiliary])
    def test_joint_and_separate_passes_agree_without_batch_statistics(
        self, change
    ):
        network = _build(change)
        other = torch.randn(3, 3, 6, 8)
        joint, a = student_forward(network, IMAGES, _samples(), other, True)
        apart, b = student_forward(network, IMAGES, _samples(), other, False)
        stock = network.loss(IMAGES, _samples())
        assert joint.keys() == apart.keys() == stock.keys()
        for key in stock:
            torch.testing.assert_close(joint[key], stock[key])
            torch.testing.assert_close(apart[key], stock[key])
        torch.testing.assert_close(a, network._forward(other))
        torch.testing.assert_close(b, a)

    def test_joint_pass_shares_batch_statistics(self):
        network = _build(norm=True)
        other = torch.randn(2, 3, 6, 8) * 9
        student_forward(network, IMAGES, _samples(), other, True)
        first = network.backbone.first(torch.cat([IMAGES, other]))
        torch.testing.assert_close(
            network.backbone.norm.running_mean, 0.1 * first.mean((0, 2, 3))
        )
        assert int(network.backbone.norm.num_batches_tracked) == 1

    def test_separate_passes_have_their_own(self):
        network = _build(norm=True)
        other = torch.randn(2, 3, 6, 8) * 9
        student_forward(network, IMAGES, _samples(), other, False)
        assert int(network.backbone.norm.num_batches_tracked) == 2

    def test_sizes_that_differ_go_apart(self):
        network = _build()
        losses, logits = student_forward(
            network, IMAGES, _samples(), IMAGES[..., :4], True
        )
        assert logits.shape == (2, 3, 6, 4)
        torch.testing.assert_close(
            losses['decode.loss_ce'],
            network.loss(IMAGES, _samples())['decode.loss_ce'],
        )

    def test_cascade_goes_apart(self):
        network = _build(_cascade)
        losses, logits = student_forward(
            network, IMAGES, _samples(), IMAGES, True
        )
        assert logits.shape == (2, 3, 6, 8)
        assert losses.keys() == network.loss(IMAGES, _samples()).keys()


class OtherNorm(torch.nn.Module):
    """As mmcv's synchronised layer: none of PyTorch's classes."""

    def __init__(self):
        super().__init__()
        self.momentum = 0.1
        self.register_buffer('running_mean', torch.zeros(3))

    def forward(self, x):
        self.running_mean += self.momentum * x.mean((0, 2, 3))
        return x


def test_frozen_statistics_are_let_alone():
    frozen = OtherNorm()
    del frozen.momentum
    with kept_statistics(torch.nn.Sequential(frozen)):
        assert not hasattr(frozen, 'momentum')
    assert not hasattr(frozen, 'momentum')


@pytest.mark.parametrize('kept', [True, False])
def test_statistics_of_any_layer_can_be_kept(kept):
    norm = OtherNorm()
    with kept_statistics(torch.nn.Sequential(norm), kept):
        norm(torch.ones(1, 3, 2, 2))
    assert bool(norm.running_mean.any()) != kept
    assert norm.momentum == 0.1


@pytest.mark.parametrize('momentum', [0.1, None])
def test_batches_that_are_not_counted_weigh_nothing_later(momentum):
    torch.manual_seed(0)
    norms = [torch.nn.BatchNorm2d(2, momentum=momentum) for _ in range(2)]
    for _ in range(3):
        batch = torch.randn(2, 2, 4, 4) + 5
        for norm in norms:
            norm(batch)
        with kept_statistics(norms[0]):
            norms[0](torch.randn(2, 2, 4, 4))
    torch.testing.assert_close(norms[0].running_mean, norms[1].running_mean)
    torch.testing.assert_close(norms[0].running_var, norms[1].running_var)


@pytest.mark.parametrize('place', [(0, 0), (3, 5), (7, 11)])
def test_features_over_any_padding_have_no_class(place):
    logits = torch.zeros(1, 3, 4, 6)
    logits[:, 2] = 1.0
    valid = torch.ones(1, 8, 12, dtype=torch.bool)
    valid[0, place[0], place[1]] = False
    expected = torch.full((1, 4, 6), 2)
    expected[0, place[0] // 2, place[1] // 2] = 255
    found = feature_labels(logits, torch.zeros(1, 5, 4, 6), valid)
    assert torch.equal(found, expected)


def test_features_of_another_size_are_labelled_by_resized_logits():
    logits = torch.randn(
        2, 5, 7, 9, generator=torch.Generator().manual_seed(0)
    )
    valid = torch.ones(2, 14, 18, dtype=torch.bool)
    resized = F.interpolate(
        logits, size=(4, 5), mode='bilinear', align_corners=False
    )
    found = feature_labels(logits, torch.zeros(2, 8, 4, 5), valid)
    assert torch.equal(found, resized.argmax(1))


def test_labelled_images_move_statistics_that_unlabelled_ones_do_not():
    network, alone = _build(norm=True), _build(norm=True)
    student_forward(
        network, IMAGES, _samples(), torch.ones(2, 3, 6, 8), True, False
    )
    alone.loss(IMAGES, _samples())
    for name, value in alone.backbone.norm.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(network.backbone.norm.state_dict()[name], value)
    assert network.backbone.norm.running_mean.any()


def test_segmentor_with_a_loss_of_its_own_goes_apart():
    network = _build()
    own = type('Own', (type(network),), {'loss': lambda *_: {}})
    network.__class__ = own
    assert not can_join(network)
