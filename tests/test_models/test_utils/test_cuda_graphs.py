"""What is recorded, and when; a stand-in records on the CPU."""

import contextlib
import copy
import gc
import pickle

import pytest
import torch
from torch import nn

from rml_mmseg.models.utils import cuda_graphs
from rml_mmseg.models.utils.cuda_graphs import (
    MAX_GRAPHS,
    WARM_UP,
    GraphedCalls,
)
from tests.toys import toy_batch, toy_mutual


def _flat(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, (list, tuple)):
        return [tensor for part in outputs for tensor in _flat(part)]
    return []


@pytest.fixture
def captured(monkeypatch):
    """List of recordings, whose replays write into the same tensors."""
    made = []

    def capture(function, tensors):
        outputs = function(*tensors)
        for tensor in _flat(outputs):
            # A recording computes nothing yet.
            tensor.zero_()

        def replay():
            for mine, new in zip(_flat(outputs), _flat(function(*tensors))):
                mine.copy_(new)

        made.append(tensors)
        return replay, outputs

    monkeypatch.setattr(cuda_graphs, 'capture', capture)
    monkeypatch.setattr(cuda_graphs, 'can_be_recorded', lambda tensors: True)
    return made


def test_calls_are_recorded_after_some(captured):
    graphs, layer = GraphedCalls(), nn.Linear(2, 2)
    called = []

    def function(x):
        called.append(x)
        return layer(x), 3.0

    for count in range(WARM_UP + 3):
        x = torch.full((1, 2), float(count))
        with torch.no_grad():
            output, number = graphs(function, [layer], [x])
            assert torch.equal(output, layer(x)) and number == 3.0
        assert len(captured) == (count >= WARM_UP)
    assert called[-1] is captured[0][0]


@pytest.mark.parametrize(
    'change', ['size', 'type', 'replaced', 'moved', 'autocast']
)
def test_another_kind_is_recorded_by_itself(captured, change):
    if change == 'autocast' and not hasattr(torch, 'get_autocast_dtype'):
        pytest.skip('an older PyTorch is asked about a GPU alone')
    graphs, layer = GraphedCalls(), nn.Linear(2, 2).requires_grad_(False)
    x = torch.ones(1, 2)

    def calls(times, on=False):
        for _ in range(times):
            with torch.autocast('cpu', torch.bfloat16, enabled=on):
                found = graphs(lambda x: x + layer.weight[0], [layer], [x])
            assert torch.equal(found, x + layer.weight[0])

    calls(WARM_UP + 1)
    if change == 'size':
        x = torch.ones(3, 2)
    elif change == 'type':
        x = x.double()
    elif change == 'replaced':
        layer.weight = nn.Parameter(layer.weight + 1, requires_grad=False)
    elif change == 'moved':
        layer.weight.data = layer.weight.data + 1
    calls(WARM_UP, on=change == 'autocast')
    assert len(captured) == 1
    calls(1, on=change == 'autocast')
    assert len(captured) == 2
    # In place, as teachers and prototypes are.
    layer.weight.add_(1)
    calls(1, on=change == 'autocast')
    assert len(captured) == 2


@pytest.mark.parametrize('was_on', [True, False])
def test_no_garbage_is_collected_while_something_is_recorded(
    monkeypatch, was_on
):
    seen = []

    class Graph:
        def __init__(self, graph, **mode):
            pass

        def __enter__(self):
            seen.append(gc.isenabled())

        def __exit__(self, *args):
            seen.append(gc.isenabled())

    class Replayed:
        def replay(self):
            pass

    monkeypatch.setattr(torch.cuda, 'CUDAGraph', Replayed)
    monkeypatch.setattr(torch.cuda, 'graph', Graph)
    if not was_on:
        gc.disable()
    try:
        _, outputs = cuda_graphs.capture(torch.neg, [torch.ones(1)])
        with pytest.raises(RuntimeError, match='cuda_graphs=True.* broken'):
            cuda_graphs.capture(broken, [])
        assert gc.isenabled() == was_on
    finally:
        gc.enable()
    assert outputs == -1 and seen == [False] * 4


def broken():
    raise RuntimeError('this is broken')


def test_few_kinds_are_recorded(captured):
    graphs = GraphedCalls()
    for size in range(MAX_GRAPHS + 3):
        for _ in range(WARM_UP + 2):
            x = torch.ones(size)
            assert torch.equal(graphs(torch.neg, [], [x]), -x)
    assert len(captured) == MAX_GRAPHS


def test_a_copy_records_for_itself(captured):
    graphs = GraphedCalls()
    for _ in range(WARM_UP + 1):
        graphs(torch.neg, [], [torch.ones(1)])
    for other in (
        copy.deepcopy(graphs),
        pickle.loads(pickle.dumps(graphs)),
    ):
        other(torch.neg, [], [torch.ones(1)])
        assert len(captured) == 1


def test_a_cpu_records_nothing(monkeypatch):
    monkeypatch.setattr(cuda_graphs, 'capture', None)
    graphs = GraphedCalls()
    for _ in range(WARM_UP + 2):
        assert graphs(torch.neg, [], [torch.ones(1)]) == -1


@pytest.mark.parametrize('accumulated', [1, 2])
@pytest.mark.parametrize(
    'rectifier',
    [
        dict(momentum=0.5),
        dict(momentum=0.5, alignment=2.0),
        dict(momentum=0.5, alignment=2.0, alignment_target='labels'),
        None,
    ],
)
@pytest.mark.parametrize(
    'cfg', [{}, dict(ensemble_p0=True), dict(confidence_share=0.3)]
)
def test_labels_and_prototypes_are_the_same(
    captured, rectifier, cfg, accumulated
):
    torch.manual_seed(0)
    if rectifier:
        rectifier = dict(type='PrototypeRectifier', **rectifier)
    models = [
        toy_mutual(rectifier=rectifier, semi_train_cfg=dict(cfg, **extra))
        for extra in ({}, dict(cuda_graphs=True))
    ]
    models[1].load_state_dict(models[0].state_dict())
    for count in range(WARM_UP + 4):
        inputs, samples = toy_batch()
        inputs['weak'] = torch.randn_like(inputs['weak'])
        losses = [model.loss(inputs, samples) for model in models]
        for model, found in zip(models, losses):
            assert found.keys() == losses[0].keys()
            for name, loss in found.items():
                assert torch.equal(loss, losses[0][name]), (count, name)
            if (count + 1) % accumulated == 0:
                for teacher in model.teachers.parameters():
                    teacher.data.mul_(0.9)
                for module in model.rectifiers:
                    module.update()
        ours, theirs = (model.state_dict() for model in models)
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), (count, name)
    assert len(captured) == 1
    copy.deepcopy(models[1])


@pytest.mark.parametrize(
    'error, match',
    [
        (RuntimeError('captured'), 'cuda_graphs=True: .*waits.* captured'),
        (torch.cuda.OutOfMemoryError('2 GiB'), '^2 GiB$'),
    ],
)
def test_memory_that_is_short_is_no_wait(monkeypatch, error, match):
    monkeypatch.setattr(torch.cuda, 'CUDAGraph', lambda: None)
    monkeypatch.setattr(
        torch.cuda, 'graph', lambda graph, **mode: contextlib.nullcontext()
    )

    def function():
        raise error

    with pytest.raises(type(error), match=match):
        cuda_graphs.capture(function, [])


def test_a_watched_batch_is_not_recorded(captured):
    model = toy_mutual(semi_train_cfg=dict(cuda_graphs=True))
    for _ in range(WARM_UP + 2):
        model.record = {}
        model.loss(*toy_batch())
        assert model.record['sources']
    assert not captured
