"""Small trainings for benchmarks, from any config of this package."""

import argparse
import copy
import itertools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import mmcv
from mmengine.config import Config
from mmengine.runner import Runner

from rml_mmseg.datasets.data_root import check_data_roots, dataset_nodes
from rml_mmseg.datasets.scene_generator import SceneGenerator
from rml_mmseg.engine.config_files import (
    add_cfg_options,
    override,
    read_config,
)
from rml_mmseg.models.utils.learner_cfg import without_weights

from .measured_loop import MeasuredLoop

LABELLED, UNLABELLED = 4, 8
_RUNS = itertools.count()


def add_training_arguments(
    parser: argparse.ArgumentParser,
    config: str,
    size: tuple[int, int] = (360, 480),
) -> None:
    """Add the options that define the training.

    Args:
        parser (argparse.ArgumentParser): Parser to add to.
        config (str): Default config.
        size (tuple[int, int]): Default height and width of generated
            scenes, pixels.
    """
    parser.add_argument('config', nargs='?', default=config)
    parser.add_argument(
        '--scene-size',
        type=int,
        nargs=2,
        default=list(size),
        metavar=('H', 'W'),
        help='of generated scenes, where there is no data',
    )
    add_cfg_options(parser)


def load_asked(
    args: argparse.Namespace, folder: str, workers: bool = True
) -> tuple[Config, str]:
    """Load the training given by :func:`add_training_arguments`.

    Args:
        args (argparse.Namespace): The options.
        folder (str): As in :func:`load_training`.
        workers (bool): Likewise.

    Returns:
        tuple[Config, str]: Likewise.
    """
    return load_training(
        args.config,
        Path(folder),
        args.cfg_options,
        tuple(args.scene_size),
        workers,
    )


def write_stand_in(
    folder: Path, size: tuple[int, int], num_classes: int
) -> None:
    """Write generated scenes to replace missing data of a config.

    Args:
        folder (Path): Folder for ``img``, ``ann`` and the lists of both
            sets.
        size (tuple[int, int]): Height and width, pixels.
        num_classes (int): Classes of the config; the scenes' class ids are
            taken modulo this number.
    """
    generator = SceneGenerator(0, *size)
    names = [f'{i:02}' for i in range(LABELLED + UNLABELLED)]
    for i, name in enumerate(names):
        image, mask = generator.generate('train', i)[:2]
        mmcv.imwrite(image, str(folder / f'img/{name}.png'))
        mmcv.imwrite(mask % num_classes, str(folder / f'ann/{name}.png'))
    for kind, listed in (
        ('labelled', names[:LABELLED]),
        ('unlabelled', names[LABELLED:]),
    ):
        (folder / f'{kind}.txt').write_text('\n'.join(listed), 'utf-8')


def use_stand_in(cfg: Config, folder: Path, size: tuple[int, int]) -> None:
    """Point the training set of a config at generated scenes."""
    head = cfg.model.segmentors[0].decode_head
    write_stand_in(folder, size, head.num_classes)
    for place, dataset in dataset_nodes(cfg.train_dataloader, ''):
        name = 'unlabelled' if 'unlabelled' in place else 'labelled'
        prefix = dict(img_path='img')
        if name == 'labelled':
            prefix['seg_map_path'] = 'ann'
            dataset.seg_map_suffix = '.png'
        dataset.update(
            data_root=str(folder),
            data_prefix=prefix,
            ann_file=f'{name}.txt',
            img_suffix='.png',
        )


def load_training(
    config: str,
    folder: Path,
    options: Optional[Mapping[str, Any]] = None,
    size: tuple[int, int] = (360, 480),
    workers: bool = True,
) -> tuple[Config, str]:
    """Load a config that only trains and saves no checkpoints.

    Args:
        config (str): Path of a config.
        folder (Path): Folder for logs and, if its data is missing, scenes.
        options (Mapping, optional): Settings to override.
        size (tuple[int, int]): Height and width of generated scenes,
            pixels. Defaults to (360, 480).
        workers (bool): Whether data is loaded as in the config; otherwise
            in this process. Defaults to True.

    Returns:
        tuple[Config, str]: The config, and which data it reads.
    """
    cfg = read_config(config)
    override(cfg, options or {})
    cfg.work_dir = str(folder / 'work')
    cfg.experiment_name = f'{Path(config).stem}_{os.getpid()}'
    cfg.default_hooks.checkpoint = None
    cfg.log_level = logging.getLevelName(logging.ERROR)
    if not workers:
        cfg.train_dataloader.num_workers = 0
        cfg.train_dataloader.persistent_workers = False
    for part in ('val', 'test'):
        for key in (f'{part}_dataloader', f'{part}_cfg', f'{part}_evaluator'):
            cfg.pop(key, None)
    try:
        check_data_roots(cfg, ['train_dataloader'])
        source = 'the data of the config'
    except FileNotFoundError:
        use_stand_in(cfg, folder / 'scenes', size)
        source = 'generated scenes, as the data of the config is missing'
    return cfg, source


def run_measured(
    cfg: Config,
    measure: Callable[[MeasuredLoop], Any],
    kind: type[MeasuredLoop] = MeasuredLoop,
) -> Runner:
    """Set up a training and hand its iterations to a function.

    No pretrained weights are loaded.

    Args:
        cfg (Config): Config from :func:`load_training`.
        measure (Callable): Called with the loop.
        kind (type): Class of the loop. Defaults to ``MeasuredLoop``.

    Returns:
        Runner: The runner, after the function has returned.
    """
    cfg = copy.deepcopy(cfg)
    # Runners with the same name would share their logs, and visualizers with
    # the same name write into the folder of the first, which may be gone.
    cfg.experiment_name = f'{cfg.experiment_name}_{next(_RUNS)}'
    if cfg.get('visualizer'):
        cfg.visualizer.name = cfg.experiment_name
    cfg.model = without_weights(cfg.model)
    runner = Runner.from_cfg(cfg)
    runner._train_loop = kind(runner, cfg.train_dataloader, measure)
    runner.train()
    return runner
