"""Time how training scales with processes, classes and pixels."""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor

from rml_mmseg.experiments.benchmarks import (
    MeasuredLoop,
    Report,
    add_report_arguments,
    alternate,
    load_training,
    run_measured,
    stopwatch,
)
from rml_mmseg.models.rectifiers import PrototypeRectifier
from rml_mmseg.models.utils.cutmix import apply_mask, boxes_to_masks
from rml_mmseg.models.utils.segmentor_forward import feature_labels

DEFAULT = 'configs/ablations/_base_/camvid_1-8.py'
IMAGES, CHANNELS, STRIDE = 2, 64, 8
# Allowed relative distance of a point from the line fitted to all.
STRAIGHT = 0.25


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', default=DEFAULT)
    parser.add_argument('--processes', type=int, nargs='*', default=[1, 2])
    parser.add_argument('--iterations', type=int, default=10)
    parser.add_argument('--repeats', type=int, default=2)
    parser.add_argument(
        '--classes', type=int, nargs='+', default=[10, 20, 40, 80, 160]
    )
    parser.add_argument(
        '--sides', type=int, nargs='+', default=[64, 96, 128, 192, 256]
    )
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--worker', type=Path, help=argparse.SUPPRESS)
    add_report_arguments(parser)
    return parser.parse_args(argv)


def extra_work(
    classes: int, side: int, device: torch.device
) -> Callable[[], Any]:
    """Make the work of an iteration beside its networks, for one learner.

    It consists of soft labels from a teacher's logits, their rectification,
    the sums of Eq. 10 and CutMix.
    """
    draw = torch.Generator().manual_seed(0)
    small = side // STRIDE

    def normal(*shape: int) -> Tensor:
        return torch.randn(IMAGES, *shape, generator=draw).to(device)

    logits, features = (
        normal(classes, small, small),
        normal(CHANNELS, small, small),
    )
    view, valid = normal(3, side, side), normal(side, side) > -9
    rectifier = PrototypeRectifier(classes, CHANNELS).to(device)
    rectifier.prototypes.normal_()
    rectifier.counts.fill_(1)
    partner = torch.arange(IMAGES, device=device).roll(1)
    box = [side // 4, side // 4, 3 * side // 4, 3 * side // 4]
    boxes = torch.tensor([box] * IMAGES, device=device)

    def work() -> None:
        probs = torch.nn.functional.interpolate(
            logits, size=(side, side), mode='bilinear', align_corners=False
        ).softmax(1)
        labels = rectifier(probs, features)
        rectifier.accumulate(features, feature_labels(logits, features, valid))
        rectifier.update()
        masks = boxes_to_masks(boxes, side, side)
        for tensor in (view, labels, valid):
            apply_mask(tensor, masks, partner)

    return work


def growth(
    cases: list[tuple[int, int]], args: argparse.Namespace
) -> tuple[list[dict[str, Any]], float]:
    """Time some numbers of classes and image sizes.

    Returns:
        tuple: Rows, and the largest relative distance of a time from a
        straight line in the number of pixels times classes.
    """
    sides = {
        f'{k}, {side}': extra_work(k, side, args.device) for k, side in cases
    }
    times = alternate(sides, args.rounds, warm_up=2, device=args.device)
    units = np.array([k * IMAGES * side**2 for k, side in cases], float)
    cpu = args.device.type == 'cpu'
    clock = 'cpu' if cpu else 'wall'
    found = np.array([t.median(clock) for t in times.values()])
    # Relative errors, so that small cases count as much as large ones.
    design = np.stack([units, np.ones_like(units)], 1) / found[:, None]
    line = np.linalg.lstsq(design, np.ones_like(found), rcond=None)[0]
    gaps = np.abs(design @ line - 1)
    rows = [
        dict(
            classes=k,
            height_and_width=side,
            ms=float(1000 * seconds),
            ns_for_each_pixel_and_class=float(1e9 * seconds / unit),
            on_the_line_ms=float(1000 * (line[0] * unit + line[1])),
        )
        for (k, side), seconds, unit in zip(cases, found, units)
    ]
    return rows, float(gaps.max())


def work(args: argparse.Namespace) -> None:
    """Train as one of several processes; rank 0 writes its times."""
    seconds: list[float] = []

    def measure(loop: MeasuredLoop) -> None:
        for _ in range(2):
            loop.iteration()
        for _ in range(args.iterations):
            seconds.append(stopwatch(loop.iteration, args.device)[0])

    with tempfile.TemporaryDirectory() as folder:
        cfg, _ = load_training(args.config, Path(folder), workers=False)
        cfg.launcher = 'pytorch'
        run_measured(cfg, measure)
    if os.environ['RANK'] == '0':
        text = json.dumps(
            dict(seconds=seconds, batch=cfg.train_dataloader.batch_size)
        )
        args.worker.write_text(text, 'utf-8')


def train(processes: int, args: argparse.Namespace) -> dict[str, Any]:
    """Time training iterations with a number of processes."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / 'found.json'
        command = [
            *(sys.executable, '-m', 'torch.distributed.run'),
            f'--nproc_per_node={processes}',
            f'--master_port={port}',
            *(__file__, args.config, '--worker', found),
            *('--iterations', args.iterations, '--device', args.device),
        ]
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(
                f'{processes} processes ended with exit code '
                f'{done.returncode}:\n{done.stderr[-2000:]}'
            )
        return json.loads(found.read_text('utf-8'))


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    if args.worker is not None:
        work(args)
        return
    report = Report('Processes, classes and pixels', args.device)
    middle_k, middle_side = args.classes[0], args.sides[len(args.sides) // 2]
    for title, cases in (
        ('classes', [(k, middle_side) for k in args.classes]),
        ('pixels', [(middle_k, side) for side in args.sides]),
    ):
        rows, gap = growth(cases, args)
        report.table(f'Extra cost by {title}', rows)
        report.target(
            f'largest distance from a straight line in {title}',
            gap,
            at_most=STRAIGHT,
        )
    runs: dict[int, list[float]] = {count: [] for count in args.processes}
    batch = 0
    for _ in range(args.repeats):
        for count in args.processes:
            found = train(count, args)
            runs[count] += found['seconds']
            batch = found['batch']
    if runs:
        medians = {n: statistics.median(s) for n, s in runs.items()}
        first = min(medians)
        report.table(
            'Training iterations',
            [
                dict(
                    processes=n,
                    ms=1000 * seconds,
                    pairs_per_s=n * batch / seconds,
                    throughput=n * medians[first] / (first * seconds),
                )
                for n, seconds in medians.items()
            ],
        )
    report.finish(args.out)


if __name__ == '__main__':
    main()
