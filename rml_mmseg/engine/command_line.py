"""Shared parts of the command line tools that run a config."""

from __future__ import annotations

import atexit
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import all_gather_object, is_main_process
from mmengine.runner import Runner
from mmseg.registry import RUNNERS
from torch import distributed as dist

from ..datasets.data_root import check_data_roots
from .checks.config import check_config, check_options
from .checks.explained_errors import explained_errors
from .checks.plain_errors import plain_errors
from .config_files import add_cfg_options, override, read_config


def add_runner_arguments(parser: ArgumentParser) -> None:
    """Add the options of every tool that builds a Runner from a config.

    Args:
        parser (ArgumentParser): Parser to add to.
    """
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints; default: work_dir of the '
        'config, or work_dirs/NAME_OF_THE_CONFIG',
    )
    add_cfg_options(
        parser,
        'settings of the config to override, as key=value with dots in '
        'the key; write a list as key="[a,b]" or key=a,b, and a list of '
        'tuples as key="[(a,b),(c,d)]", quoted and without spaces',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='launcher that started the processes; none for a single one',
    )
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help='set by older launchers of PyTorch, not by hand',
    )


def overridden_config(
    path: Path | str, options: Mapping[str, Any] | None = None
) -> Config:
    """Read a config and apply overrides.

    Args:
        path (Path | str): Config file.
        options (Mapping, optional): Overrides from `--cfg-options`.

    Raises:
        ValueError: If the config cannot be read, or if an override does not
            fit it or sets something that nothing reads.
    """
    cfg = read_config(path)
    check_options(cfg, options or {})
    override(cfg, options or {})
    return cfg


def load_config(args: Namespace) -> Config:
    """Load the config that the arguments name and apply their overrides.

    Args:
        args (Namespace): Parsed arguments: `config` and those of
            :func:`add_runner_arguments`.

    Returns:
        Config: The config, with `launcher` and `work_dir` set.

    Raises:
        ValueError: If the config cannot be read, if an override does not fit
            it or sets something that nothing reads, or if the work folder is
            a file.
        SystemExit: If there is no such file.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not os.path.isfile(args.config):
        raise SystemExit(f'error: no config {args.config}')
    cfg = overridden_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    _check_work_dir(Path(cfg.work_dir))
    return cfg


def _check_work_dir(work_dir: Path) -> None:
    for path in (work_dir, *work_dir.parents):
        if path.exists() and not path.is_dir():
            raise ValueError(
                f'work_dir={str(work_dir)!r} cannot be made, because {path} '
                'is a file: set --work-dir to another folder'
            )


@contextmanager
def explained(cfg: Config) -> Iterator[None]:
    """Exit with a message, not a traceback, on errors meant for the user.

    Args:
        cfg (Config): Whole config.

    Raises:
        SystemExit: In place of an error that is meant for the user.
    """
    with plain_errors(), explained_errors(cfg):
        yield


def build_runner(cfg: Config, loaders: Sequence[str]) -> Runner:
    """Build the Runner of a config and make sure that its data is there.

    The networks are built first, so that a faulty model is reported even if
    there is no data; their pretrained weights are only loaded later.

    Args:
        cfg (Config): Whole config.
        loaders (Sequence[str]): Names of the data loaders that will be used.

    Returns:
        Runner: The Runner, of the registered type `runner_type` if set.

    Raises:
        ValueError: If a setting is wrong; names it.
        TypeError: If a component has no such setting.
        SystemExit: In every process if data is missing for one of them; the
            main process prints what is missing.
    """
    check_config(cfg)
    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    try:
        check_data_roots(cfg, loaders)
        problem = None
    except FileNotFoundError as error:
        problem = str(error)
    # Nodes may have separate disks: if one process must stop, all do.
    problems = {p for p in all_gather_object(problem) if p is not None}
    if problems:
        if is_main_process():
            print('error:', *sorted(problems), sep='\n', file=sys.stderr)
        raise SystemExit(1)
    return runner


def leave_group() -> None:
    """Exit a process of the gloo backend after a successful run.

    Threads of gloo that are alive at interpreter shutdown abort some
    processes ("terminate called without an active exception"), and torchrun
    then reports a finished training as failed. So this runs Python's exit
    handlers and skips the rest of the shutdown, which has nothing more to do.
    With other backends, and without a process group, it does nothing.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    if dist.get_backend() != 'gloo':
        return
    dist.barrier()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
