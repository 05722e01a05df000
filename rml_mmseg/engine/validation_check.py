"""Faults of a validation that would only show long after a run has begun."""

from typing import Any

import torch
from mmengine.runner import ValLoop
from mmengine.runner.amp import autocast
from mmseg.evaluation import IoUMetric

from rml_mmseg.datasets.load_item import check_files
from rml_mmseg.datasets.members import members
from rml_mmseg.datasets.seeding import seeded
from rml_mmseg.evaluation.metrics import LearnersIoUMetric


def check_scored_set(loop: Any, setting: str) -> None:
    """Make sure that a set of images that are scored is there.

    Args:
        loop (ValLoop | TestLoop): Built loop.
        setting (str): Its data set's name in a config.

    Raises:
        ValueError: If there is no image.
        FileNotFoundError: If a file is missing.
    """
    dataset = loop.dataloader.dataset
    if not len(dataset):
        raise ValueError(
            f'{setting} has no image: look at its data_prefix, img_suffix '
            'and ann_file'
        )
    try:
        parts = members(dataset)
    except TypeError:
        # A data set of another kind finds its files in its own way.
        return
    for part in parts:
        for info in map(part.get_data_info, range(len(part))):
            if 'img_path' in info:
                check_files(part, info, setting, _needs_masks(loop))


def _needs_masks(loop: Any) -> bool:
    """Whether an IoU is computed."""
    metrics = [
        metric.deployed if isinstance(metric, LearnersIoUMetric) else metric
        for metric in loop.evaluator.metrics
    ]
    return any(
        isinstance(metric, IoUMetric) and not metric.format_only
        for metric in metrics
    )


@torch.no_grad()
def try_validation(loop: ValLoop) -> None:
    """Predict the first image of the validation set, and forget it.

    Args:
        loop (ValLoop): Built loop; of another kind it is not tried.

    Raises:
        ValueError: If the set is empty, or gives no masks for an IoU.
        FileNotFoundError: If an image or its mask is missing.
        RuntimeError: If the first image cannot be loaded or predicted.
    """
    if not isinstance(loop, ValLoop):
        return
    setting = 'val_dataloader.dataset'
    check_scored_set(loop, setting)
    loader, model = loop.dataloader, loop.runner.model
    try:
        with seeded(0), autocast(enabled=loop.fp16):
            batch = loader.collate_fn([loader.dataset[0]])
            samples = model.eval().val_step(batch)
    except Exception as error:
        raise RuntimeError(
            f'the model cannot predict the first image of {setting}: '
            f'{type(error).__name__}: {error}'
        ) from error
    if _needs_masks(loop) and 'gt_sem_seg' not in samples[0]:
        raise ValueError(
            f"{setting}.pipeline gives no masks: put dict(type='"
            "LoadAnnotations') before PackSegInputs"
        )
