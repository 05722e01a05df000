"""Time a training iteration against the cost of its networks alone."""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from typing import Any, Callable

import torch
from mmengine.config import Config
from mmengine.hooks import LoggerHook
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS

from rml_mmseg.engine.hooks import MutualEMAHook, PseudoLabelMonitorHook
from rml_mmseg.engine.loops.stage_schedules import all_optimizers
from rml_mmseg.engine.unwrap import unwrap
from rml_mmseg.experiments.benchmarks import (
    MeasuredLoop,
    Report,
    Stopwatches,
    add_report_arguments,
    add_training_arguments,
    alternate,
    load_asked,
    peak_extra_bytes,
    run_measured,
)
from rml_mmseg.experiments.benchmarks.floor import make_floor
from rml_mmseg.models.utils.cuda_graphs import WARM_UP
from rml_mmseg.models.utils.learner_cfg import learner_cfg

DEFAULT = 'configs/ablations/_base_/camvid_1-8.py'
# Interval of the monitor in iterations, the default of its hook.
LOOK_EVERY = 50
LIMITS = dict(off=1.05, on=1.07)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_training_arguments(parser, DEFAULT)
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--warm-up', type=int, default=3)
    parser.add_argument(
        '--breakdown', type=int, default=10, help='iterations to time parts'
    )
    add_report_arguments(parser)
    return parser.parse_args(argv)


def make_supervised(
    loop: MeasuredLoop, cfg: Config, batch: dict
) -> Callable[[], None]:
    """Make a stock supervised step of each network on as many images.

    Each student reads labelled and unlabelled images; here each network
    reads the same number of labelled images, through mmseg's own classes.
    """
    model: Any = unwrap(loop.runner.model)
    images = list(batch['labelled']['inputs'])
    samples = list(batch['labelled']['data_samples'])
    extra = sum(len(part['inputs']['weak']) for part in batch['unlabelled'])
    repeats = -(-(len(images) + extra) // len(images))
    count = len(images) + extra
    data = dict(
        inputs=(images * repeats)[:count],
        data_samples=(samples * repeats)[:count],
    )
    settings = dict(cfg.model.data_preprocessor, type='SegDataPreProcessor')
    trained = []
    for single in cfg.model.segmentors:
        network: Any = MODELS.build(
            dict(learner_cfg(single, {}), data_preprocessor=settings)
        )
        network = network.to(next(model.parameters()).device)
        if model.semi_train_cfg.channels_last:
            network = network.to(memory_format=torch.channels_last)
        wrapper_cfg = dict(cfg.optim_wrapper)
        for key in ('constructor', 'on_nonfinite'):
            wrapper_cfg.pop(key, None)
        own = wrapper_cfg.pop('students', None)
        if own:
            wrapper_cfg.update(own[len(trained)])
        wrapper = build_optim_wrapper(network, wrapper_cfg)
        trained.append((network.train(), wrapper))

    def supervised() -> None:
        for network, wrapper in trained:
            network.train_step(
                dict(
                    inputs=list(data['inputs']),
                    data_samples=[s.clone() for s in data['data_samples']],
                ),
                wrapper,
            )

    return supervised


def by_graphs(loop: MeasuredLoop) -> Callable[[], None]:
    """Make an iteration with ``semi_train_cfg.cuda_graphs``."""
    labeller: Any = unwrap(loop.runner.model).pseudo_labeller
    plain = labeller.cfg
    graphs = dataclasses.replace(plain, cuda_graphs=True)

    def step() -> None:
        labeller.cfg = graphs
        loop.iteration()
        labeller.cfg = plain

    # These calls come before the graph is recorded.
    for _ in range(WARM_UP):
        step()
    return step


def watch(watches: Stopwatches, loop: MeasuredLoop) -> None:
    """Attach stopwatches to the parts of an iteration."""
    runner = loop.runner
    model: Any = unwrap(runner.model)
    watches.watch(model.data_preprocessor, 'forward', 'preprocessing')
    watches.watch(model, 'loss', 'labels, mixing, rest of the model')
    for teacher in model.teachers:
        watches.watch(teacher, '_forward', 'teachers')
    for student in model.students:
        for method in ('extract_feat', '_forward', 'loss'):
            watches.watch(student, method, 'students')
        watches.watch(student.decode_head, 'forward', 'students')
        watches.watch(student.decode_head, 'loss_by_feat', 'losses')
    for loss in model.pseudo_label_losses:
        watches.watch(loss, 'forward', 'losses')
    for rectifier in model.rectifiers:
        for method in ('forward', 'accumulate', 'update'):
            watches.watch(rectifier, method, 'rectifier')
    wrapper = runner.optim_wrapper
    watches.watch(wrapper, 'update_params', 'rest of the optimiser wrapper')
    watches.watch(wrapper, 'backward', 'students, backward')
    for optimizer in all_optimizers(wrapper):
        watches.watch(optimizer, 'step', 'optimisers')
    for hook in runner.hooks:
        part = 'other hooks'
        if isinstance(hook, MutualEMAHook):
            part = 'EMA'
        elif isinstance(hook, LoggerHook):
            part = 'logging'
        for when in ('before_train_iter', 'after_train_iter'):
            watches.watch(hook, when, part)


def break_down(
    loop: MeasuredLoop, iterations: int, device: torch.device
) -> list[dict[str, Any]]:
    """Measure the time of each part of an iteration, as rows."""
    watches = Stopwatches(device)
    watch(watches, loop)
    for _ in range(iterations):
        with watches.part('rest of the loop'):
            with watches.part('data wait'):
                batch = next(loop.dataloader_iterator)
            loop.run_iter(batch)
    total = sum(watches.seconds.values())
    total_cpu = sum(watches.cpu_seconds.values())
    return [
        dict(
            part=name,
            ms=1000 * seconds / iterations,
            percent=100 * seconds / total,
            cpu_ms=1000 * watches.cpu_seconds[name] / iterations,
            cpu_percent=100 * watches.cpu_seconds[name] / total_cpu,
        )
        for name, seconds in sorted(
            watches.seconds.items(), key=lambda item: -item[1]
        )
    ]


def measure(
    loop: MeasuredLoop, cfg: Config, args: argparse.Namespace, report: Report
) -> None:
    """Time an iteration, print it and compare it with the targets."""
    monitors = [
        hook
        for hook in loop.runner.hooks
        if isinstance(hook, PseudoLabelMonitorHook)
    ]
    floor, batch = make_floor(loop)

    def step() -> None:
        loop.iteration()

    def look() -> None:
        for hook in monitors:
            hook.interval = 1
        loop.iteration()
        for hook in monitors:
            hook.interval = 10**6

    sides = dict(floor=floor, step=step, look=look)
    if args.device.type == 'cuda':
        sides['step by CUDA graphs'] = by_graphs(loop)
    sides['stock supervised'] = make_supervised(loop, cfg, batch)
    times = alternate(sides, args.rounds, args.warm_up, device=args.device)
    base = times['floor']
    rows = [
        dict(
            side=name,
            ms=1000 * timing.median(),
            cpu_ms=1000 * timing.median('cpu'),
            over_floor=timing.over(base),
            over_floor_cpu=timing.over(base, 'cpu'),
            extra_MB=peak_extra_bytes(sides[name], args.device) / 1e6,
        )
        for name, timing in times.items()
    ]
    report.table('An iteration', rows)
    for clock in ('wall', 'cpu'):
        for side in [name for name in times if name.startswith('step')]:
            off = times[side].over(base, clock)
            more = times['look'].over(base, clock)
            more -= times['step'].over(base, clock)
            on = off + more / LOOK_EVERY
            for name, found in (('off', off), ('on', on)):
                report.target(
                    f'{side} over floor, monitoring {name}, {clock} clock',
                    found,
                    at_most=LIMITS[name],
                )
    report.table(
        'Parts of an iteration, undisturbed by the other sides',
        break_down(loop, args.breakdown, args.device),
    )


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    report = Report('A training iteration', args.device)
    with tempfile.TemporaryDirectory() as folder:
        cfg, source = load_asked(args, folder)
        cfg.setdefault('custom_hooks', [])
        cfg.custom_hooks = [
            hook
            for hook in cfg.custom_hooks
            if hook['type'] != 'PseudoLabelMonitorHook'
        ] + [dict(type='PseudoLabelMonitorHook', interval=10**6)]
        report.note(f'{args.config}, reading {source}.')
        run_measured(cfg, lambda loop: measure(loop, cfg, args, report))
    report.finish(args.out)


if __name__ == '__main__':
    main()
