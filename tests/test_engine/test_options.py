"""Settings that trade time and memory, on a real run each."""

import math

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from rml_mmseg.engine import BFloat16OptimWrapper
from tests.versions import ON_FORK, needs_compile

CP = [f'model.segmentors.{i}.backbone.with_cp' for i in range(2)]


@pytest.fixture
def train(tiny_config):
    """Function that trains the tiny config; returns runner and losses."""

    def run(options=None):
        cfg = tiny_config(options)
        for part in ('val', 'test'):
            for key in ('dataloader', 'cfg', 'evaluator'):
                cfg.pop(f'{part}_{key}')
        cfg.default_hooks.checkpoint = None
        cfg.train_cfg.iters_per_stage = 4
        runner = Runner.from_cfg(cfg)
        runner.train()
        scalars = runner.message_hub.log_scalars
        losses = scalars['train/loss'].data[0]
        return runner, losses

    return run


def gap(first, second):
    """Largest difference of two models' students."""
    states = [run.model.students.state_dict() for run in (first, second)]
    assert states[0].keys() == states[1].keys()
    return max(
        (a.float() - b.float()).abs().max().item()
        for a, b in zip(*(state.values() for state in states))
    )


def test_bfloat16_trains_on_a_cpu(train):
    plain, expected = train()
    runner, losses = train({'optim_wrapper.type': 'BFloat16OptimWrapper'})
    wrapper = runner.optim_wrapper['students.0']
    assert isinstance(wrapper, BFloat16OptimWrapper)
    assert losses == pytest.approx(expected, rel=0.05)
    # Results differ, or nothing was computed in 16 bits; weights have 32.
    assert gap(plain, runner) > 0
    for parameter in runner.model.parameters():
        assert parameter.dtype == torch.float32 and parameter.isfinite().all()


def test_bfloat16_computes_networks_and_not_losses_in_16_bits(
    train, monkeypatch
):
    seen = []
    softmax = torch.nn.functional.log_softmax

    def watch(tensor, *args, **kwargs):
        seen.append(tensor.dtype)
        return softmax(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, 'log_softmax', watch)
    runner, _ = train({'optim_wrapper.type': 'BFloat16OptimWrapper'})
    assert seen and set(seen) == {torch.float32}
    with runner.optim_wrapper.optim_context(runner.model):
        weak = torch.randn(1, 3, 32, 48)
        teacher = runner.model.teachers[0]
        assert teacher._forward(weak).dtype == torch.bfloat16


def test_bfloat16_goes_with_one_optimiser_for_all(train):
    options = {
        'optim_wrapper.type': 'BFloat16OptimWrapper',
        'optim_wrapper.constructor': 'DefaultOptimWrapperConstructor',
        'optim_wrapper.accumulative_counts': 2,
    }
    runner, losses = train(options)
    assert isinstance(runner.optim_wrapper, BFloat16OptimWrapper)
    assert all(math.isfinite(loss) for loss in losses)


def test_channels_last_changes_layout_and_nothing_else(train):
    _, expected = train()
    option = 'model.semi_train_cfg.channels_last'
    runner, losses = train({option: True})
    weight = runner.model.students[0].decode_head.convs[0].conv.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert losses == pytest.approx(expected, rel=1e-2)


def test_checkpointing_by_mmengine_gives_the_same_run(train):
    runner, expected = train()
    modules = [f'students.{i}.backbone' for i in range(2)]
    other, losses = train({'activation_checkpointing': modules})
    # With a fork more results are rounded differently.
    rounding = 1e-4 if ON_FORK else 1e-5
    assert losses == pytest.approx(expected, rel=rounding)
    buffers = other.model.students.named_buffers()
    for name, moved in buffers:
        if name.endswith('num_batches_tracked'):
            once = runner.model.students.get_buffer(name)
            assert torch.equal(moved, once)


def test_checkpointing_of_stock_backbones_gives_the_same_run(train):
    _, expected = train()
    runner, losses = train(dict.fromkeys(CP, True))
    for student in runner.model.students:
        assert any(
            getattr(module, 'with_cp', False) for module in student.modules()
        )
    # Also after the first step, although the recomputed forward pass moves
    # running statistics, by which the teachers normalise.
    assert losses == pytest.approx(expected, rel=1e-5)


def test_joint_forward_shares_batch_statistics(train):
    joint, _ = train()
    apart, losses = train({'model.semi_train_cfg.joint_forward': False})
    assert all(math.isfinite(loss) for loss in losses)
    assert gap(joint, apart) > 0


@needs_compile
def test_compiled_train_step_gives_the_same_run(train):
    # The captured graphs run without being compiled: no compiler is needed.
    options = {
        'optim_wrapper.optimizer': dict(_delete_=True, type='AdamW', lr=0.01),
        'optim_wrapper.paramwise_cfg': dict(
            custom_keys=dict(backbone=dict(lr_mult=0.25))
        ),
    }
    _, expected = train(options)
    _, losses = train({**options, 'compile': dict(backend='eager')})
    assert losses == pytest.approx(expected, rel=1e-4)


@needs_compile
def test_compiled_backbones_give_the_same_run(train, monkeypatch):
    plain, expected = train()
    compiled = []
    compile_ = torch.compile

    def watch(function, **kwargs):
        compiled.append(kwargs)
        return compile_(function, **kwargs)

    monkeypatch.setattr(torch, 'compile', watch)
    hooks = [
        dict(type='MutualEMAHook', momentum=0.9),
        dict(type='CompileBackbonesHook', backend='eager'),
    ]
    runner, losses = train({'custom_hooks': hooks})
    # Two students and two teachers.
    assert compiled == [dict(backend='eager')] * 4
    assert losses == pytest.approx(expected, rel=1e-4)
    assert gap(plain, runner) < 1e-3


def test_compiling_says_what_it_needs(monkeypatch):
    from rml_mmseg.engine.hooks import CompileBackbonesHook

    init_default_scope('mmseg')
    monkeypatch.delattr(torch, 'compile', raising=False)
    with pytest.raises(RuntimeError, match='PyTorch 2.0'):
        CompileBackbonesHook()
