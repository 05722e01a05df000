"""The size at which a config tests its images."""

import copy
from typing import Any, Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from rml_mmseg.engine.checks.registered import type_name

from .data import plain_datasets
from .pipelines import image_pipeline

DEFAULT_SIZE = (512, 512)


def deployed_size(cfg: Config) -> tuple[tuple[int, int], str]:
    """Size of the network's input in a test.

    It is the window's size in a sliding-window test; else the size that a
    ``Resize`` of a fixed ``scale`` gives in the pipeline of
    ``test_dataloader`` or, without one, of ``val_dataloader``; else the size
    in training; else ``DEFAULT_SIZE``.

    Args:
        cfg (Config): Config of a plain segmentor.

    Returns:
        tuple: Height and width in pixels, and a text that tells their source.
    """
    test_cfg = cfg.model.get('test_cfg') or {}
    if test_cfg.get('mode') == 'slide' and test_cfg.get('crop_size'):
        height, width = test_cfg['crop_size']
        return (height, width), (
            'one window of a sliding-window test (model.test_cfg.crop_size)'
        )
    for loader in ('test_dataloader', 'val_dataloader'):
        if cfg.get(loader):
            found = _resized(cfg, loader)
            if found is not None:
                return found
            break
    size = (cfg.model.get('data_preprocessor') or {}).get('size')
    why = 'the test pipeline has no Resize to a fixed scale'
    if size:
        return (size[0], size[1]), (
            f'the training size (model.data_preprocessor.size); {why}'
        )
    return DEFAULT_SIZE, f'a default, as no setting gives it: {why}'


def _resized(
    cfg: Config, loader: str
) -> Optional[tuple[tuple[int, int], str]]:
    """Size that the pipeline of a loader gives, if it is fixed."""
    try:
        dataset = plain_datasets(cfg, loader)[0]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Not a data set that the tools of mmseg can read.
        return None
    steps = [
        step
        for step in dataset.get('pipeline') or ()
        if type_name(step) == 'Resize' and step.get('scale')
    ]
    if not steps:
        return None
    scale = steps[-1]['scale']
    width, height = (scale, scale) if isinstance(scale, int) else scale
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        # The scale bounds only one side.
        return None
    step = f'Resize(scale={(width, height)}) of {loader}'
    if not steps[-1].get('keep_ratio', False):
        return (height, width), f'{step}, which is (width, height)'
    size = _first_image(cfg, dataset)
    if size is not None:
        return size, f'{step} with keep_ratio, applied to its first image'
    return (height, width), (
        f'{step} with keep_ratio, assuming its aspect ratio, as its data '
        'could not be read'
    )


def _first_image(
    cfg: Config, dataset: dict[str, Any]
) -> Optional[tuple[int, int]]:
    """Height and width of the loaded first image; None if that fails."""
    settings = copy.deepcopy(dataset)
    settings['pipeline'] = image_pipeline(settings['pipeline'])
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    try:
        height, width = DATASETS.build(settings)[0]['inputs'].shape[-2:]
    except Exception:
        # Third-party data sets may raise any exception.
        return None
    return int(height), int(width)


def input_channels(cfg: Config) -> int:
    """Number of image channels, which is that of the preprocessor's means.

    Args:
        cfg (Config): Whole config; without means there are three channels.
    """
    mean = cfg.model.data_preprocessor.get('mean')
    return 3 if mean is None else len(mean)
