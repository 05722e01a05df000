"""Parts of a batch that only monitors read, not losses."""

from typing import Any

import torch
from torch import Tensor


def monitored(
    inputs: dict[str, Any], data_samples: dict[str, list]
) -> dict[str, Tensor]:
    """Images that monitors show, and maps to compare labels with.

    Args:
        inputs (dict): Batch, with ``weak`` (M, 3, H, W) and ``valid``
            (M, H, W).
        data_samples (dict): ``labelled`` and ``unlabelled`` samples.

    Returns:
        dict: ``weak`` (M, 3, H, W), normalised, ``valid`` (M, H, W),
        ``labelled``, the ground truth (N, H, W), and, if all unlabelled
        samples have masks, ``masks`` (M, H, W).
    """
    maps = dict(
        weak=inputs['weak'],
        valid=inputs['valid'],
        labelled=torch.cat(
            [sample.gt_sem_seg.data for sample in data_samples['labelled']]
        ),
    )
    unlabelled = data_samples['unlabelled']
    if all('gt_sem_seg' in sample for sample in unlabelled):
        maps['masks'] = torch.cat(
            [sample.gt_sem_seg.data for sample in unlabelled]
        )
    return maps
