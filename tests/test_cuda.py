"""What a GPU computes, against the CPU.

Run by itself: `RML_TEST_GPU=1 python -m pytest tests/test_cuda.py`.
"""

import copy
import math

import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from rml_mmseg.engine.finite import all_finite
from rml_mmseg.models import PrototypeRectifier
from rml_mmseg.models.data_preprocessors.one_copy import OneCopy
from rml_mmseg.models.utils import (
    batched_prototypes,
    class_sums,
    ema_update,
    prototype_weights,
    rectified_labels_gpu,
    rectify,
    update_prototypes,
)
from rml_mmseg.models.utils.cuda_graphs import WARM_UP
from tests.toys import toy_mutual

if not torch.cuda.is_available():
    pytest.skip(
        'needs a GPU, which the tests see with RML_TEST_GPU=1',
        allow_module_level=True,
    )

K, C, SIZE = 6, 5, (7, 9)


def case(items=3):
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(items, C, *SIZE, generator=draw)
    labels = torch.randint(K - 1, (items, *SIZE), generator=draw)
    labels[:, 0], labels[:, 1] = 255, K
    features[0, :, 0, 0] = torch.nan
    probs = torch.randn(items, K, 14, 18, generator=draw).softmax(1)
    return features, labels, torch.randn(K, C, generator=draw), probs


DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def without_kernel(monkeypatch):
    """Behave as if Triton were missing."""
    monkeypatch.setattr(rectified_labels_gpu, 'kernel_on', lambda device: None)


def test_the_kernel_runs_where_triton_is():
    pytest.importorskip('triton')
    device = torch.ones(1, device='cuda').device
    assert rectified_labels_gpu.kernel_on(device) is not None


# One step takes all items, two of three, or a part of one.
@pytest.mark.parametrize('fit', [10**6, 2 * C * SIZE[0] * SIZE[1], 11 * C])
def test_rectifying_equals_the_cpu(monkeypatch, fit):
    monkeypatch.setattr(batched_prototypes, 'LARGE_ELEMENTS', fit)
    features, labels, centres, probs = case()

    def compute(device):
        f, y, p, q = (x.to(device) for x in (features, labels, centres, probs))
        sums, counts = class_sums(f, y, K)
        known = counts > 0
        weights = prototype_weights(f.nan_to_num(), p, 2.0, known)
        moved = update_prototypes(p, sums, counts, 0.9)
        bias = torch.arange(K, device=device) / K
        biased = prototype_weights(f.nan_to_num(), p, bias=bias)
        return sums, counts, moved, weights, biased, rectify(q, weights)

    for found, expected in zip(compute('cuda'), compute('cpu')):
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), expected)


def assert_same_labels(labels, probs, weights):
    """Labels equal the CPU's, unless two products are almost equal."""
    expected = rectify(probs.cpu().float(), weights.cpu())
    assert labels.is_cuda and labels.dtype == torch.int64
    differ = labels.cpu() != expected
    assert differ.float().mean() < 1e-3
    wide = nn.functional.interpolate(
        weights.cpu(), size=probs.shape[-2:], mode='bilinear'
    )
    products = wide * probs.cpu().float()
    ours = products.gather(1, labels.cpu()[:, None])
    theirs = products.gather(1, expected[:, None])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


@pytest.mark.parametrize('kernel', [True, False])
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize(
    ('k', 'size', 'below'),
    [
        (19, (64, 96), (17, 25)),
        (150, (33, 47), (9, 12)),
        (1, (5, 7), (2, 3)),
        (4, (16, 16), (16, 16)),
        (3, (12, 10), (21, 33)),
    ],
)
def test_labels_of_any_size_and_layout(
    monkeypatch, kernel, dtype, k, size, below
):
    if not kernel:
        without_kernel(monkeypatch)
    draw = torch.Generator().manual_seed(0)
    probs = torch.randn(2, k, *size, generator=draw).softmax(1)
    weights = torch.rand(2, k, *below, generator=draw).cuda()
    probs = probs.to('cuda', dtype)
    for same in (
        probs,
        probs.contiguous(memory_format=torch.channels_last),
        probs.mT.contiguous().mT,
        probs.repeat_interleave(2, 3)[..., ::2],
    ):
        assert_same_labels(rectify(same, weights), probs, weights)


def test_the_first_of_equals_and_what_is_not_a_number():
    draw = torch.Generator().manual_seed(0)
    probs = torch.randn(1, 6, 6, 6, generator=draw).softmax(1).cuda()
    weights = torch.rand(1, 6, 3, 3, generator=draw).cuda()
    probs[0, :, 0], weights[:, :, 0] = 0.5, 0.25
    probs[0, :, 2, 0] = 0
    probs[0, 2, 3, 0] = probs[0, 4, 3, 0] = math.nan
    labels = rectify(probs, weights).cpu()
    assert (labels[0, 0] == 0).all()
    assert labels[0, 2, 0] == 0
    if rectified_labels_gpu.kernel_on(probs.device) is not None:
        assert labels[0, 3, 0] == 2


def test_labels_of_a_part_of_a_huge_tensor():
    # Elements at offsets beyond 2**31; the memory between is not read.
    if torch.cuda.mem_get_info()[0] < 10 * 2**30:
        pytest.skip('needs 10 GB')
    stride = 2**30 + 2**29
    memory = torch.empty(2 * stride + 64, dtype=torch.float16, device='cuda')
    probs = memory.as_strided((1, 3, 8, 8), (1, stride, 8, 1))
    draw = torch.Generator().manual_seed(0)
    probs.copy_(torch.rand(1, 3, 8, 8, generator=draw))
    weights = torch.rand(1, 3, 4, 4, generator=draw).cuda()
    assert_same_labels(rectify(probs, weights), probs, weights)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shift', [0.0, 1e3])
@pytest.mark.parametrize(('k', 'c'), [(19, 70), (150, 300)])
def test_sums_and_weights_of_many_classes(dtype, shift, k, c):
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(2, c, 33, 41, generator=draw).add(shift).to(dtype)
    labels = torch.randint(-1, k + 1, (2, 33, 41), generator=draw)
    labels[:, 0] = 255
    centres = torch.randn(k, c, generator=draw) + shift
    spoilt = features.clone()
    spoilt[:, :, 0] = math.nan
    found = class_sums(spoilt.cuda(), labels.cuda(), k)
    one_hot = (labels.flatten() == torch.arange(k)[:, None]).double()
    flat = features.double().movedim(1, 0).flatten(1)
    # The precision of float32 for means as large as the shift.
    torch.testing.assert_close(
        found[0].cpu().double(), one_hot @ flat.t(), rtol=3e-6, atol=1e-4
    )
    assert torch.equal(found[1].cpu().double(), one_hot.sum(1))
    weights = prototype_weights(features.cuda(), centres.cuda(), 0.5)
    gap = torch.cdist(flat.t(), centres.double())
    expected = (-0.5 * gap).softmax(1).view(2, 33, 41, k).movedim(3, 1)
    torch.testing.assert_close(
        weights.cpu().double(), expected, rtol=3e-4, atol=1e-5
    )


@pytest.mark.parametrize('kernel', [True, False])
def test_rectifying_is_captured_in_a_graph(monkeypatch, kernel):
    if not kernel:
        without_kernel(monkeypatch)
    features, labels, centres, probs = (x.cuda() for x in case())
    features = features.nan_to_num()

    def compute():
        sums, counts = class_sums(features, labels, K)
        weights = prototype_weights(features, centres, 1.0, counts >= 0)
        return sums, counts, rectify(probs, weights)

    expected = compute()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = compute()
    for tensor in found:
        tensor.zero_()
    graph.replay()
    for tensor, wanted in zip(found, expected):
        torch.testing.assert_close(tensor, wanted)


@pytest.mark.parametrize('momentum', [0.0, 0.7])
@pytest.mark.parametrize('buffers', ['copy', 'average'])
def test_teachers_move_as_on_the_cpu(momentum, buffers):
    torch.manual_seed(0)
    student = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    teacher = copy.deepcopy(student)
    for tensor in student.state_dict().values():
        tensor += 1
    there = [copy.deepcopy(n).cuda() for n in (teacher, student)]
    ema_update(teacher, student, momentum, buffers)
    ema_update(*there, momentum, buffers)
    for name, value in there[0].state_dict().items():
        torch.testing.assert_close(value.cpu(), teacher.state_dict()[name])


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize('value', [1.0, math.inf, -math.inf, math.nan])
def test_finite_values_are_told_from_others(dtype, value):
    tensors = [torch.randn(5, 3, device='cuda') for _ in range(40)]
    tensors.append(torch.full((2, 7), 3.0, dtype=dtype, device='cuda'))
    tensors[-1][1, 3] = value
    before = [tensor.clone() for tensor in tensors]
    assert all_finite(tensors).item() == math.isfinite(value)
    for tensor, same in zip(tensors, before):
        assert torch.equal(tensor.nan_to_num(), same.nan_to_num())


def test_an_expanded_tensor_is_looked_at_too():
    tensors = [torch.ones(3).cuda(), torch.ones(1).cuda().expand(4)]
    assert all_finite(tensors).item()
    tensors[0][1] = math.nan
    assert not all_finite(tensors).item()


def test_one_copy_moves_what_shares_a_memory():
    memory = torch.arange(96, dtype=torch.uint8)
    image = memory[:24].view(2, 3, 4)
    mask = memory[32:64].view(torch.int64).view(1, 2, 2)
    sample = SegDataSample(gt_sem_seg=PixelData(data=mask))
    sample.set_metainfo(dict(img_path='a'))
    alone = torch.ones(3)
    batch = dict(inputs=[image, alone], data_samples=[sample], name='b')
    expected = [x.clone() for x in (image, alone, mask)]
    moved = OneCopy(torch.device('cuda'))(batch)
    (first, second), (there,) = moved['inputs'], moved['data_samples']
    found = [first, second, there.gt_sem_seg.data]
    for tensor, value in zip(found, expected):
        assert tensor.is_cuda and torch.equal(tensor.cpu(), value)
    assert first.untyped_storage().data_ptr() == (
        found[2].untyped_storage().data_ptr()
    )
    assert there.img_path == 'a' and moved['name'] == 'b'


@pytest.fixture
def train(tiny_config, monkeypatch):
    """Function that trains the tiny config on a device."""

    def run(options=None, device='cuda', resume=False):
        monkeypatch.setattr('mmengine.device.utils.DEVICE', device)
        cfg = tiny_config(options)
        if resume:
            cfg.work_dir, cfg.resume = resume, True
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert next(runner.model.parameters()).device.type == device
        return runner, runner.message_hub.log_scalars['train/loss'].data[0]

    return run


WORKER = {'train_dataloader.num_workers': 1}


@pytest.mark.parametrize('options', [{}, WORKER])
def test_a_run_is_that_of_the_cpu(train, options):
    stages = {'train_cfg.stages': 2, **options}
    _, expected = train(stages, 'cpu')
    _, losses = train(stages)
    assert losses[:4] == pytest.approx(expected[:4], rel=1e-2)
    # Rounding turns some pseudo labels sooner or later.
    assert losses == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(
    'options',
    [
        {'type': 'AmpOptimWrapper', 'dtype': 'float16'},
        {'type': 'AmpOptimWrapper', 'dtype': 'bfloat16'},
        {'type': 'AmpOptimWrapper', 'accumulative_counts': 2},
        {'type': 'BFloat16OptimWrapper'},
    ],
)
def test_mixed_precision_trains(train, options):
    _, expected = train()
    settings = {f'optim_wrapper.{k}': v for k, v in options.items()}
    runner, losses = train(settings)
    assert losses == pytest.approx(expected, rel=0.1)
    for tensor in runner.model.state_dict().values():
        assert tensor.isfinite().all()
        assert tensor.dtype in (torch.float32, torch.int64)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'optim_wrapper.accumulative_counts': 2},
        {'optim_wrapper.type': 'BFloat16OptimWrapper'},
        {'optim_wrapper.type': 'AmpOptimWrapper'},
        {'model.rectifier': None},
        {'model.rectifier.alignment': 2.0},
        {
            'train_cfg.stages': 2,
            'model.semi_train_cfg': dict(p0='stage', ensemble_p0=True),
            'model.rectifier.alignment': 2.0,
            'model.rectifier.alignment_target': 'labels',
        },
    ],
)
def test_cuda_graphs_change_no_run(train, options):
    options = {'train_cfg.iters_per_stage': 12, **options}
    _, expected = train(options)
    graphs = {'model.semi_train_cfg.cuda_graphs': True}
    runner, losses = train({**options, **graphs})
    assert len(runner.model.pseudo_labeller.graphs) == 1
    # Replayed steps come after the warm-up; rounding turns some pseudo labels.
    assert losses[:WARM_UP] == pytest.approx(expected[:WARM_UP], rel=1e-2)
    assert losses == pytest.approx(expected, rel=0.2)
    copy.deepcopy(runner.model)


@pytest.mark.parametrize(
    'cfg', [{}, dict(ensemble_p0=True), dict(confidence_share=0.3)]
)
@pytest.mark.parametrize('accumulated', [1, 2])
def test_recorded_labels_are_those_of_today(cfg, accumulated):
    torch.manual_seed(0)
    rectifier = dict(type='PrototypeRectifier', momentum=0.5, alignment=2.0)
    plain, graphs = (
        toy_mutual(
            rectifier=rectifier, semi_train_cfg=dict(cfg, **extra)
        ).cuda()
        for extra in ({}, dict(cuda_graphs=True))
    )
    graphs.load_state_dict(plain.state_dict())
    for count in range(WARM_UP + 4):
        inputs = {
            'weak': torch.randn(3, 3, 16, 16, device='cuda'),
            'valid': torch.ones(3, 16, 16, dtype=torch.bool, device='cuda'),
        }
        found, expected = (
            model.pseudo_labeller(model, inputs) for model in (graphs, plain)
        )
        for ours, theirs in zip(sum(found, []), sum(expected, [])):
            assert ours[0] == theirs[0]
            same = (ours[1] == theirs[1]).float().mean().item()
            assert same > 0.98, count
            torch.testing.assert_close(ours[2], theirs[2])
        for model in (graphs, plain):
            # Update in place, like the hook.
            for teacher in model.teachers.parameters():
                teacher.data.mul_(0.9)
            for module in model.rectifiers if count % accumulated else ():
                module.update()
        for ours, theirs in zip(graphs.rectifiers, plain.rectifiers):
            torch.testing.assert_close(ours.prototypes, theirs.prototypes)
    assert len(graphs.pseudo_labeller.graphs) == 1


def test_a_resumed_run_goes_on(train):
    whole, expected = train({'train_cfg.iters_per_stage': 8})
    first, _ = train({'train_cfg.iters_per_stage': 4})
    # The schedule is that of the whole run.
    rest, losses = train(
        {'train_cfg.iters_per_stage': 8}, resume=first.work_dir
    )
    assert rest.iter == whole.iter == 8
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] == pytest.approx(expected[-1], rel=0.2)


def test_what_waits_for_the_gpu_is_told(train, monkeypatch):
    monkeypatch.setattr(
        PrototypeRectifier,
        'accumulate',
        lambda self, features, labels: features.sum().item(),
    )
    options = {
        'train_cfg.iters_per_stage': 6,
        'model.semi_train_cfg.cuda_graphs': True,
    }
    with pytest.raises(RuntimeError, match='semi_train_cfg.cuda_graphs=True'):
        train(options)
