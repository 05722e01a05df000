"""Test and evaluate the model of a config with a checkpoint's weights."""

from __future__ import annotations

import argparse
import os

from mmengine.config import Config

from rml_mmseg.engine.checks.plain_errors import plain_errors
from rml_mmseg.engine.checks.registered import type_name
from rml_mmseg.engine.checks.scored_set import check_names, check_scored_set
from rml_mmseg.engine.command_line import (
    add_runner_arguments,
    build_runner,
    explained,
    leave_group,
    load_config,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--out', help='folder to write the predicted label maps to'
    )
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument(
        '--show-dir',
        help='folder for painted predictions of all images, written to its '
        'subfolder vis_data/vis_image; without it, or with --show, none are '
        'written',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds to show each prediction for; default: %(default)s',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average predictions over the views of tta_pipeline in the '
        'config',
    )
    add_runner_arguments(parser)
    return parser.parse_args(argv)


def apply_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the options of testing to a config, in place.

    Raises:
        ValueError: If an option does not fit the config.
    """
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.show or args.show_dir:
        draw_predictions(cfg, args)
    if args.tta:
        average_views(cfg)
    if args.out is not None:
        keep_predictions(cfg, args.out)


def draw_predictions(cfg: Config, args: argparse.Namespace) -> None:
    """Switch the visualisation hook on.

    Raises:
        ValueError: If the config has none.
    """
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need default_hooks.visualization in the '
            "config, for instance dict(type='SegVisualizationHook')"
        )
    hook.draw = True
    # All images: the default is one in 50.
    hook.setdefault('interval', 1)
    if args.show:
        hook.show = True
        hook.wait_time = args.wait_time
    if args.show_dir:
        cfg.visualizer.save_dir = args.show_dir


def average_views(cfg: Config) -> None:
    """Wrap model and pipeline for test-time augmentation.

    Raises:
        ValueError: If the config lacks tta_model or tta_pipeline.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise ValueError(f'--tta needs {" and ".join(missing)} in the config')
    # Only views of the deployed learner are merged.
    if cfg.model.get('test_cfg') and 'score' in cfg.model.test_cfg:
        cfg.model.test_cfg.score = []
    metrics = cfg.get('test_evaluator') or []
    for metric in [metrics] if isinstance(metrics, dict) else metrics:
        if 'learners' in metric:
            metric['learners'] = []
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def keep_predictions(cfg: Config, folder: str) -> None:
    """Let the IoU metric write its label maps to a folder.

    Raises:
        ValueError: If the config has no such metric.
    """
    metrics = cfg.test_evaluator
    metrics = [metrics] if isinstance(metrics, dict) else metrics
    writers = [m for m in metrics if type_name(m).endswith('IoUMetric')]
    if not writers:
        found = ', '.join(type_name(m) for m in metrics)
        raise ValueError(
            f'--out needs an IoUMetric in test_evaluator, found {found}'
        )
    # The metric makes it on the main process; others may write first.
    os.makedirs(folder, exist_ok=True)
    for metric in writers:
        metric['output_dir'] = folder


def main() -> None:
    """Run the tool."""
    args = parse_args()
    with plain_errors():
        cfg = load_config(args)
        apply_args(cfg, args)
    with explained(cfg):
        runner = build_runner(cfg, ('test_dataloader',))
        check_scored_set(runner.test_loop, 'test')
        if args.show_dir:
            check_names(runner.test_loop.dataloader.dataset, '--show-dir')
        runner.test()
    leave_group()


if __name__ == '__main__':
    main()
