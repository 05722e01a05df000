import pytest
import torch
from torch import nn
from torch.nn import functional as F

# The package has to be imported before mmseg.
import rml_mmseg  # noqa: F401

# isort: split
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from rml_mmseg.models.decode_heads import DeepLabV2Head

IN_CHANNELS, CLASSES = 7, 5
FORMS = ['sum', 'bottleneck']


def _build(form: str, **kwargs) -> DeepLabV2Head:
    torch.manual_seed(0)
    settings = dict(
        type='DeepLabV2Head',
        in_channels=IN_CHANNELS,
        # The form 'sum' classifies the backbone's output directly.
        channels=IN_CHANNELS if form == 'sum' else 64,
        num_classes=CLASSES,
        form=form,
        in_index=0,
    )
    return MODELS.build({**settings, **kwargs}).eval()


def _features(size: int = 9, items: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (items, IN_CHANNELS, size, size)
    return torch.randn(shape, generator=generator)


def _convs(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def _seen_by_classifier(head: DeepLabV2Head, x: torch.Tensor) -> torch.Tensor:
    seen = []
    handle = head.conv_seg.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    head([x])
    handle.remove()
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize('form', FORMS)
def test_is_a_registered_decode_head(form):
    head = _build(form)
    assert isinstance(head, DeepLabV2Head)
    assert isinstance(head, BaseDecodeHead)
    assert head.num_classes == head.out_channels == CLASSES


def test_defaults():
    head = MODELS.build(
        dict(
            type='DeepLabV2Head',
            in_channels=IN_CHANNELS,
            channels=IN_CHANNELS,
            num_classes=CLASSES,
        )
    )
    assert head.dropout_ratio == 0.5
    assert sorted(c.dilation for c in _convs(head)) == [
        (6, 6),
        (12, 12),
        (18, 18),
        (24, 24),
    ]


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('size', [1, 9, 16])
def test_output_shape(form, size):
    with torch.no_grad():
        logits = _build(form)([_features(size)])
    assert logits.shape == (2, CLASSES, size, size)


@pytest.mark.parametrize('form', FORMS)
def test_in_index_picks_the_level(form):
    wrong, right = torch.zeros(2, 3, 5, 5), _features()
    head = _build(form, in_index=1)
    with torch.no_grad():
        assert torch.equal(head([wrong, right]), head([None, right]))
        assert head([wrong, right]).shape[2:] == (9, 9)


@pytest.mark.parametrize('form', FORMS)
def test_every_parameter_takes_part(form):
    # DistributedDataParallel fails on parameters without a gradient.
    head = _build(form, dilations=(1, 2)).train()
    head([_features()]).square().mean().backward()
    idle = [name for name, p in head.named_parameters() if p.grad is None]
    assert idle == []


@pytest.mark.parametrize('form', FORMS)
def test_dropout_acts_in_training_only(form):
    x = _features()
    head = _build(form)
    with torch.no_grad():
        assert torch.equal(head([x]), head([x]))
        head.train()
        assert not torch.allclose(head([x]), head([x]))
        quiet = _build(form, dropout_ratio=0.0).train()
        assert torch.equal(quiet([x]), quiet([x]))


@pytest.mark.parametrize('form', FORMS)
def test_classifier_starts_small(form):
    head = _build(form)
    head.init_weights()
    for conv in _convs(head.conv_seg):
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.25)
        assert abs(conv.weight.mean().item()) < 0.002
        assert conv.bias is None or (conv.bias == 0).all()


@pytest.mark.parametrize('form', FORMS)
def test_loss_of_uniform_logits(form):
    head = _build(form)
    for conv in _convs(head.conv_seg):
        nn.init.zeros_(conv.weight)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
    samples = []
    for _ in range(2):
        sample = SegDataSample()
        labels = torch.randint(CLASSES, (1, 36, 36))
        sample.gt_sem_seg = PixelData(data=labels)
        samples.append(sample)
    losses = head.loss([_features()], samples, train_cfg={})
    # Every class has the probability 1/5, whatever the label.
    wanted = torch.tensor(float(CLASSES)).log()
    torch.testing.assert_close(losses['loss_ce'], wanted)


@pytest.mark.parametrize('form', ['add', '', None])
def test_unknown_form_is_an_error(form):
    with pytest.raises(ValueError, match='form'):
        DeepLabV2Head(
            in_channels=16, channels=64, num_classes=CLASSES, form=form
        )


class TestSum:
    def test_is_the_sum_of_dilated_classifiers(self):
        head, x = _build('sum'), _features(32)
        convs = _convs(head)
        assert len(convs) == 4
        wanted = torch.zeros(2, CLASSES, 32, 32)
        for conv, dilation in zip(convs, (6, 12, 18, 24)):
            assert conv.weight.shape == (CLASSES, IN_CHANNELS, 3, 3)
            assert conv.dilation == (dilation, dilation)
            wanted += F.conv2d(
                x,
                conv.weight,
                conv.bias,
                padding=dilation,
                dilation=dilation,
            )
        with torch.no_grad():
            torch.testing.assert_close(head([x]), wanted, atol=1e-5, rtol=1e-4)

    def test_reads_exactly_the_dilated_neighbours(self):
        head = _build('sum', dilations=(2, 5))
        x = _features(15, items=1).requires_grad_()
        head([x])[0, :, 7, 7].sum().backward()
        read = {
            (y - 7, z - 7)
            for y, z in x.grad[0].abs().sum(0).nonzero().tolist()
        }
        assert read == {
            (i * d, j * d)
            for d in (2, 5)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        }

    def test_classifier_sees_the_backbone_s_output(self):
        x = _features()
        assert torch.equal(_seen_by_classifier(_build('sum'), x), x)

    def test_all_parameters_are_the_classifier_s(self):
        head = _build('sum')
        names = [name for name, _ in head.named_parameters()]
        assert names
        assert all(name.startswith('conv_seg.') for name in names)
        with torch.no_grad():
            x = _features()
            assert torch.equal(head.conv_seg(x), head([x]))

    def test_classifiers_are_not_copies_of_each_other(self):
        head = _build('sum')
        head.init_weights()
        first, second = _convs(head)[:2]
        assert not torch.equal(first.weight, second.weight)


class TestBottleneck:
    def test_classifier(self):
        head = _build('bottleneck')
        (conv,) = _convs(head.conv_seg)
        assert conv.weight.shape == (CLASSES, 64, 1, 1)
        assert conv.bias is None

    def test_classifier_sees_normalised_features(self):
        seen = _seen_by_classifier(_build('bottleneck'), _features())
        assert seen.shape == (2, 64, 9, 9)
        # GroupNorm is the last layer before the dropout: no ReLU cuts off
        # negative values, and each item has zero mean and unit variance.
        assert (seen < 0).any()
        torch.testing.assert_close(
            seen.mean((1, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0
        )
        torch.testing.assert_close(
            seen.var((1, 2, 3)), torch.ones(2), atol=1e-2, rtol=0
        )

    def test_logits_are_the_classifier_s(self):
        head, x = _build('bottleneck'), _features()
        with torch.no_grad():
            seen = _seen_by_classifier(head, x)
            torch.testing.assert_close(head([x]), head.conv_seg(seen))

    @pytest.mark.parametrize('dilations', [(6, 12, 18, 24), (2, 3)])
    def test_branches(self, dilations):
        head = _build('bottleneck', dilations=dilations)
        branches = [c for c in _convs(head) if c.in_channels == IN_CHANNELS]
        kinds = [(c.kernel_size[0], c.dilation[0]) for c in branches]
        assert kinds == [(1, 1), *((3, d) for d in dilations)]
        norms = [m for m in head.modules() if isinstance(m, nn.GroupNorm)]
        # One for every branch and one for the bottleneck.
        assert len(norms) == len(dilations) + 2
        assert not any(
            isinstance(m, nn.modules.batchnorm._BatchNorm)
            for m in head.modules()
        )

    def test_squeeze_and_excite_scales_whole_channels(self):
        head, x = _build('bottleneck', dilations=(1, 2)), _features()
        norms = [m for m in head.modules() if isinstance(m, nn.GroupNorm)]
        (bottleneck,) = [
            c
            for c in _convs(head)
            if c.kernel_size == (3, 3) and c.out_channels == 64
            if c.in_channels != IN_CHANNELS
        ]
        outputs, gated = [], []
        for norm in norms:
            norm.register_forward_hook(
                lambda _, __, output: outputs.append(output.clone())
            )
        bottleneck.register_forward_pre_hook(
            lambda _, inputs: gated.append(inputs[0].clone())
        )
        with torch.no_grad():
            head([x])
        # The last norm is the bottleneck's own.
        plain = torch.cat(outputs[:-1], dim=1).relu()
        assert plain.shape == gated[0].shape
        assert (gated[0][plain == 0] == 0).all()
        gate = gated[0].sum((2, 3), keepdim=True) / plain.sum(
            (2, 3), keepdim=True
        )
        torch.testing.assert_close(gated[0], gate * plain)
        assert ((gate >= 0) & (gate <= 1)).all()
        assert gate.std() > 0

    def test_default_width_of_the_paper_s_model(self):
        head = _build('bottleneck', channels=256)
        assert _seen_by_classifier(head, _features(4)).shape[1] == 256
