"""Train the model of a config."""

from __future__ import annotations

import argparse

from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

from rml_mmseg.engine.checks.config import wrapper_parts
from rml_mmseg.engine.checks.plain_errors import plain_errors
from rml_mmseg.engine.checks.registered import type_name
from rml_mmseg.engine.command_line import (
    add_runner_arguments,
    build_runner,
    explained,
    leave_group,
    load_config,
)
from rml_mmseg.engine.hooks import AtomicCheckpointHook


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help="resume from this checkpoint; 'auto' or no value: from the "
        'newest whole one in the work folder, or if there is none from the '
        'beginning, with load_from of the config',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the batch size, relative to '
        'auto_scale_lr.base_batch_size of the config',
    )
    add_runner_arguments(parser)
    return parser.parse_args(argv)


def apply_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the options of training to a config, in place.

    Raises:
        ValueError: If an option does not fit the config.
    """
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                '--auto-scale-lr needs auto_scale_lr.base_batch_size in the '
                'config, the batch size that its learning rate was chosen for'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
    if args.resume not in (None, 'auto'):
        cfg.load_from = args.resume


def resume_newest(runner: Runner) -> None:
    """Resume from the newest checkpoint, or start from ``load_from``."""
    runner._load_from = None
    if any(isinstance(hook, AtomicCheckpointHook) for hook in runner.hooks):
        # It looks for a complete one when the run begins.
        return
    if find_latest_checkpoint(runner.work_dir) is None:
        runner._resume = False
        runner._load_from = runner.cfg.get('load_from')


def enable_amp(cfg: Config) -> None:
    """Switch the optimiser wrapper of a config to mixed precision.

    All students then share one type, so types in their entries are removed.

    Raises:
        ValueError: If the wrapper, or that of a student, is of another kind.
    """
    wrapper = cfg.optim_wrapper
    for name, part in wrapper_parts(wrapper).items():
        # In a dumped lazy config it is a full path.
        kind = type_name(part).rpartition('.')[2] or 'OptimWrapper'
        if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise ValueError(
                f'--amp needs {name}.type to be OptimWrapper or '
                f'AmpOptimWrapper, found {kind}'
            )
    for entry in wrapper.get('students') or []:
        entry.pop('type', None)
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')


def main() -> None:
    """Run the tool."""
    args = parse_args()
    with plain_errors():
        cfg = load_config(args)
        apply_args(cfg, args)
    with explained(cfg):
        runner = build_runner(cfg, ('train_dataloader', 'val_dataloader'))
        if args.resume == 'auto':
            resume_newest(runner)
        runner.train()
    leave_group()


if __name__ == '__main__':
    main()
