"""Time and memory of a training iteration with and without settings."""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from mmengine.config import Config

from rml_mmseg.experiments.benchmarks import (
    MeasuredLoop,
    Report,
    add_report_arguments,
    add_training_arguments,
    alternate,
    load_asked,
    peak_extra_bytes,
    run_measured,
)
from rml_mmseg.models.utils.cuda_graphs import WARM_UP

DEFAULT = 'configs/ablations/_base_/camvid_1-8.py'
JOINT = 'model.semi_train_cfg.joint_forward'
# A joint forward pass requires that strong views update the statistics.
MOVE = {'model.semi_train_cfg.unlabelled_statistics': True}
LAST = 'model.semi_train_cfg.channels_last'
GRAPHS = 'model.semi_train_cfg.cuda_graphs'
KIND = 'optim_wrapper.type'
# For each option, the settings without it and with it.
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    'bfloat16': ({}, {KIND: 'BFloat16OptimWrapper'}),
    'float16': ({}, {KIND: 'AmpOptimWrapper'}),
    'channels_last': ({LAST: False}, {LAST: True}),
    'joint_forward': ({**MOVE, JOINT: False}, {**MOVE, JOINT: True}),
    'cuda_graphs': ({GRAPHS: False}, {GRAPHS: True}),
    'with_cp': ({}, {}),
    'compile': ({}, {'compile': True}),
    'compile_backbones': ({}, {}),
}
DEFAULT_OPTIONS = ('bfloat16', 'channels_last', 'joint_forward', 'with_cp')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_training_arguments(parser, DEFAULT)
    parser.add_argument(
        '--options', nargs='+', choices=OPTIONS, default=DEFAULT_OPTIONS
    )
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--warm-up', type=int, default=2)
    add_report_arguments(parser)
    return parser.parse_args(argv)


def with_option(cfg: Config, option: str, used: bool) -> Config:
    """Copy a config, with or without an option."""
    cfg = cfg.copy()
    cfg.merge_from_dict(OPTIONS[option][used])
    if option == 'with_cp' and used:
        for segmentor in cfg.model.segmentors:
            segmentor.backbone.with_cp = True
    if option == 'compile_backbones' and used:
        cfg.custom_hooks = [
            *cfg.get('custom_hooks', []),
            dict(type='CompileBackbonesHook'),
        ]
    return cfg


def measure(
    cfg: Config, option: str, args: argparse.Namespace
) -> dict[str, Any]:
    """Measure one row: alternate iterations with and without an option."""
    row: dict[str, Any] = {}

    def both(without: MeasuredLoop, used: MeasuredLoop) -> None:
        sides = dict(without=without.iteration, used=used.iteration)
        for _ in range(WARM_UP if option == 'cuda_graphs' else 0):
            # These calls come before the graph is recorded.
            used.iteration()
        times = alternate(sides, args.rounds, args.warm_up, device=args.device)
        memory = {
            name: peak_extra_bytes(call, args.device) / 1e6
            for name, call in sides.items()
        }
        row.update(
            option=option,
            without_ms=1000 * times['without'].median(),
            with_ms=1000 * times['used'].median(),
            time=times['used'].over(times['without']),
            cpu_time=times['used'].over(times['without'], 'cpu'),
            without_MB=memory['without'],
            with_MB=memory['used'],
            memory=memory['used'] / max(memory['without'], 1e-9),
        )

    run_measured(
        with_option(cfg, option, False),
        lambda without: run_measured(
            with_option(cfg, option, True), lambda used: both(without, used)
        ),
    )
    return row


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    of_gpu = {'float16', 'cuda_graphs'}.intersection(args.options)
    if of_gpu and args.device.type != 'cuda':
        raise SystemExit(
            f'error: --options {" ".join(sorted(of_gpu))} on {args.device}: '
            'only for a GPU; bfloat16 and others also work on a CPU'
        )
    report = Report('Settings that trade time and memory', args.device)
    with tempfile.TemporaryDirectory() as folder:
        # No workers: waiting for data would hide the differences.
        cfg, source = load_asked(args, folder, workers=False)
        report.note(f'{args.config}, reading {source}.')
        rows = [measure(cfg, option, args) for option in args.options]
    report.table('An iteration with an option over one without', rows)
    report.finish(args.out)


if __name__ == '__main__':
    main()
