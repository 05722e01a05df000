"""Pretrained weights that a run can do without."""

import logging
import os.path as osp
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader

PREFIX = 'optional:'


@CheckpointLoader.register_scheme(prefixes=PREFIX, force=True)
def load_optional(filename: str, map_location: Any = None) -> dict:
    """Load the checkpoint ``optional:PATH``; only warn if it is missing.

    For ``init_cfg=dict(type='Pretrained', checkpoint='optional:PATH')`` in
    configs that must also run without the weights.

    Args:
        filename (str): Path with the prefix ``optional:``.
        map_location: As in ``torch.load``.

    Returns:
        dict: The checkpoint, empty if there is no file.
    """
    path = filename[len(PREFIX) :]
    if osp.isfile(path):
        return torch.load(path, map_location=map_location, weights_only=True)
    print_log(
        f'No pretrained weights at {path!r}: this network starts from '
        'random weights, and will score far lower than with them. Set '
        'WEIGHTS_ROOT to the folder that holds them',
        logger='current',
        level=logging.WARNING,
    )
    return {}
