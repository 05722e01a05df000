"""Memory of a long training."""

from __future__ import annotations

import argparse
import gc
import tempfile
import tracemalloc
from typing import Any

import torch

from rml_mmseg.experiments.benchmarks import (
    MeasuredLoop,
    Report,
    add_report_arguments,
    add_training_arguments,
    load_asked,
    resident_bytes,
    run_measured,
)

DEFAULT = 'configs/rml/resnet_vit_scenes-12.py'
# Allowed relative growth of memory from the first to the last iteration.
GROWTH = 0.01


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_training_arguments(parser, DEFAULT, size=(96, 96))
    parser.add_argument('--first', type=int, default=200)
    parser.add_argument('--last', type=int, default=2200)
    parser.add_argument(
        '--traced',
        type=int,
        default=100,
        help='further iterations under tracemalloc, which is slow',
    )
    parser.add_argument('--crop', type=int, nargs=2, metavar=('H', 'W'))
    add_report_arguments(parser)
    return parser.parse_args(argv)


def make_small(cfg: Any, crop: tuple[int, int]) -> None:
    """Set every ``crop_size`` of a config, in place."""
    if isinstance(cfg, dict):
        if 'crop_size' in cfg:
            cfg['crop_size'] = tuple(crop)
        for value in cfg.values():
            make_small(value, crop)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            make_small(value, crop)


def snapshot(device: torch.device) -> dict[str, float]:
    """Memory in use, MB."""
    gc.collect()
    found = dict(resident_MB=resident_bytes() / 1e6)
    if device.type == 'cuda':
        found['cuda_MB'] = torch.cuda.memory_allocated(device) / 1e6
    return found


def traced_growth(loop: MeasuredLoop, iterations: int) -> tuple[float, float]:
    """Python's own memory after half of the iterations and after all.

    Returns:
        tuple[float, float]: kB allocated since the start of the trace.
    """
    tracemalloc.start()
    found = []
    for _ in range(2):
        for _ in range(max(iterations // 2, 1)):
            loop.iteration()
        gc.collect()
        found.append(tracemalloc.get_traced_memory()[0] / 1e3)
    tracemalloc.stop()
    return found[0], found[1]


def measure(
    loop: MeasuredLoop, args: argparse.Namespace, report: Report
) -> None:
    """Train, measure memory, print it and compare it with the targets."""
    rows = []
    marks = [args.first, (args.first + args.last) // 2, args.last]
    for i in range(1, args.last + 1):
        loop.iteration()
        if i in marks:
            rows.append(dict(iteration=i, **snapshot(args.device)))
    report.table('Memory in use', rows)
    for key in rows[0]:
        if key != 'iteration':
            report.target(
                f'growth of {key} from iteration {args.first} to {args.last}',
                rows[-1][key] / rows[0][key] - 1,
                at_most=GROWTH,
            )
    half, full = traced_growth(loop, args.traced)
    each = (full - half) / max(args.traced // 2, 1)
    report.table(
        'Allocated by Python since the trace began',
        [
            dict(iterations=args.traced // 2, kB=half),
            dict(iterations=args.traced // 2 * 2, kB=full),
        ],
    )
    report.target('kB that stay for each iteration', each, at_most=1.0)


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    report = Report('Memory of a training over time', args.device)
    with tempfile.TemporaryDirectory() as folder:
        cfg, source = load_asked(args, folder, workers=False)
        if args.crop is not None:
            make_small(cfg, tuple(args.crop))
        report.note(f'{args.config}, reading {source}.')
        run_measured(cfg, lambda loop: measure(loop, args, report))
    report.finish(args.out)


if __name__ == '__main__':
    main()
