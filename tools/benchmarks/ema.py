"""Time the teachers' update against mmengine's and a plain loop."""

from __future__ import annotations

import argparse
from typing import Any, Callable

import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from rml_mmseg.experiments.benchmarks import (
    Report,
    add_report_arguments,
    alternate,
)
from rml_mmseg.models.utils.ema import average_state
from rml_mmseg.models.utils.network_state import StateReader

MOMENTUM = 0.999


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--depth', type=int, default=101, help='depth of the two ResNets'
    )
    parser.add_argument('--rounds', type=int, default=15)
    add_report_arguments(parser)
    return parser.parse_args(argv)


def build(depth: int, device: torch.device) -> nn.Module:
    """Build a stock ResNet with random weights."""
    network: nn.Module = MODELS.build(
        dict(type='ResNet', depth=depth, norm_cfg=dict(type='BN'))
    )
    return network.to(device)


@torch.no_grad()
def by_loop(teacher: nn.Module, student: nn.Module) -> None:
    """Apply the EMA rule literally, one tensor at a time."""
    for t, s in zip(teacher.parameters(), student.parameters()):
        t.mul_(MOMENTUM).add_(s, alpha=1 - MOMENTUM)
    for t, s in zip(teacher.buffers(), student.buffers()):
        t.copy_(s)


def sides_of(
    students: list[nn.Module], depth: int, device: torch.device
) -> dict[str, Callable[[], Any]]:
    """Teacher updates to time, by name; each has its own teachers."""
    ours, plain = ([build(depth, device) for _ in students] for _ in range(2))
    averaged = [
        ExponentialMovingAverage(student, momentum=1 - MOMENTUM)
        for student in students
    ]

    # As in MutualEMAHook, because modules stay the same in a training.
    readers = [
        (StateReader(teacher), StateReader(student))
        for teacher, student in zip(ours, students)
    ]

    def package() -> None:
        for teacher, student in readers:
            average_state(teacher(), student(), MOMENTUM)

    def mmengine() -> None:
        for average, student in zip(averaged, students):
            average.update_parameters(student)

    def loop() -> None:
        for teacher, student in zip(plain, students):
            by_loop(teacher, student)

    return dict(package=package, mmengine=mmengine, loop=loop)


@torch.no_grad()
def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    init_default_scope('mmseg')
    report = Report('Teacher update of two networks', args.device)
    students = [build(args.depth, args.device) for _ in range(2)]
    sides = sides_of(students, args.depth, args.device)
    times = alternate(sides, args.rounds, warm_up=2, device=args.device)
    weights = sum(p.numel() for s in students for p in s.parameters())
    report.table(
        f'Two ResNet-{args.depth}, {weights / 1e6:.1f} million weights',
        [
            dict(
                side=name,
                ms=1000 * timing.median(),
                package_is_faster=timing.over(times['package']),
                by_cpu_time=timing.over(times['package'], 'cpu'),
            )
            for name, timing in times.items()
        ],
    )
    faster = times['mmengine'].over(times['package'])
    wanted = 5 if args.device.type == 'cuda' else 1
    report.target("speed-up over mmengine's", faster, at_least=wanted)
    report.finish(args.out)


if __name__ == '__main__':
    main()
