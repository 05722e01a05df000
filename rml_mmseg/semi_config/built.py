"""Building a written config to check and summarise it."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

from rml_mmseg.datasets.counted import counted
from rml_mmseg.engine.checks.classes import check_classes
from rml_mmseg.engine.checks.config import check_config

from .sizes import size_notes


class Built(NamedTuple):
    """Counts of a config that could be built.

    Attributes:
        labelled (int): Number of labelled images.
        unlabelled (int): Number of unlabelled images; 0 if none are read.
        sizes (list[str]): Notes on the size of an image in training.
    """

    labelled: int
    unlabelled: int
    sizes: list[str]


def build_config(config: Path) -> Built:
    """Build the networks and the training set that a config names.

    Args:
        config (Path): The config file.

    Raises:
        ValueError: If a part cannot be built, the networks have another
            number of classes than the training set, or a run would refuse
            the config.
    """
    cfg = Config.fromfile(config)
    check_config(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    try:
        model = MODELS.build(copy.deepcopy(cfg.model))
        dataset = DATASETS.build(copy.deepcopy(cfg.train_dataloader.dataset))
        labelled = getattr(dataset, 'labelled', dataset)
        sizes = size_notes(labelled)
    except Exception as error:
        # Third-party constructors may raise any exception.
        raise ValueError(
            f'a network or the training set cannot be built: {error}'
        ) from error
    check_classes(model, dataset)
    unlabelled = getattr(dataset, 'unlabelled', ())
    return Built(len(labelled), len(unlabelled), sizes)


def summary(cfg: Mapping[str, Any], built: Built) -> str:
    """Images, networks and length of a config, in one line.

    Args:
        cfg (Mapping): The config.
        built (Built): Its counts.
    """
    loop = cfg['train_cfg']
    length = f'{loop.get("stages", 1)} x {loop["iters_per_stage"]} iterations'
    if not built.unlabelled:
        return f'{built.labelled} labelled images, 1 network, {length}'
    return (
        f'{built.labelled} labelled and {built.unlabelled} unlabelled images, '
        f'{counted(len(cfg["model"]["segmentors"]), "learner")}, {length}, '
        f'a stage {_passes(cfg, built.unlabelled):.1f} times over the '
        'unlabelled images'
    )


def _passes(cfg: Mapping[str, Any], images: int) -> float:
    """How often a stage of one process goes over the unlabelled images."""
    loader = cfg['train_dataloader']
    drawn = cfg['train_cfg']['iters_per_stage'] * loader.get('batch_size', 1)
    return float(drawn * loader['dataset'].get('k', 1) / images)
