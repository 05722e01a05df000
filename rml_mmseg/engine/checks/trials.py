"""Trial steps that show faults before a run begins."""

import logging
import os.path as osp
import traceback
from typing import Any

import cv2
import torch
from mmengine.logging import print_log
from mmengine.runner import ValLoop
from mmengine.runner.amp import autocast

from rml_mmseg.datasets.members import class_names, image_files
from rml_mmseg.datasets.seeding import seeded
from rml_mmseg.datasets.transforms.check_image import (
    image_loader,
    is_stock_loader,
    lost_bits,
)
from rml_mmseg.datasets.transforms.check_labels import strange_ids

from ..unwrap import unwrap
from .scored_set import (
    check_save_best,
    check_scored_set,
    iou_metrics,
    plain_members,
)

# Number of validation masks, and of training images, to look at.
PROBED = 8


@torch.no_grad()
def try_validation(loop: Any, training: Any) -> None:
    """Predict the first validation image, as a trial.

    Args:
        loop (ValLoop): Built loop; nothing is tried with another kind.
        training (Any): The training set.

    Raises:
        ValueError: If images cannot be scored (see :func:`check_scored_set`),
            ``save_best`` is none of the scores, the pipeline loads no masks,
            or a mask that is looked at does not fit the classes.
        FileNotFoundError: If an image or its mask is missing.
        RuntimeError: If the first image cannot be loaded or predicted.
    """
    if not isinstance(loop, ValLoop):
        return
    print_log('Trying the first validation image', logger='current')
    setting = 'val_dataloader.dataset'
    check_scored_set(loop, 'val')
    check_save_best(loop, loop.runner.hooks)
    loader, model = loop.dataloader, loop.runner.model
    try:
        with seeded(0), autocast(enabled=loop.fp16):
            batch = loader.collate_fn([loader.dataset[0]])
            samples = model.eval().val_step(batch)
    except Exception as error:
        raise RuntimeError(
            f'the model cannot predict the first image of {setting}: '
            f'{described(error)}{_padding_hint(error)}'
        ) from error
    metrics = [m for m in iou_metrics(loop) if not m.format_only]
    if not metrics:
        return
    if 'gt_sem_seg' not in samples[0]:
        raise ValueError(
            f"{setting}.pipeline gives no masks: put dict(type='"
            "LoadAnnotations') before PackSegInputs"
        )
    ignored = {255, *(metric.ignore_index for metric in metrics)}
    _check_masks(loader.dataset, setting, ignored)
    learnt = plain_members(getattr(training, 'labelled', training))
    _compare_label_rules(loader.dataset, learnt, setting)
    _find_learnt_images(loader.dataset, learnt, setting)


def _check_masks(dataset: Any, setting: str, ignored: set[int]) -> None:
    """Refuse ids that are not a class: a metric silently leaves them out."""
    classes = len(class_names(dataset)) or 255
    step = max(len(dataset) // PROBED, 1)
    seen: set[int] = set()
    for i in range(0, len(dataset), step):
        with seeded(0):
            sample = dataset[i]['data_samples']
        all_ids = {*sample.gt_sem_seg.data.unique().tolist()}
        ids, seen = all_ids - ignored, seen | all_ids
        wrong = sorted(i for i in ids if i >= classes)
        if wrong:
            path = sample.get('seg_map_path')
            reduced = bool(sample.get('reduce_zero_label'))
            what = strange_ids(path, wrong, classes, reduced)
            raise ValueError(f'{setting}: {what}')
    if len(seen - ignored) < 2 <= classes and 255 in seen:
        print_log(
            f'{setting}: the checked masks have only the values '
            f'{sorted(seen)}, and 255 is ignored. Convert black-and-white '
            'masks to class ids, for example with image_folder.py '
            '--colour-table',
            logger='current',
            level=logging.WARNING,
        )


def _compare_label_rules(dataset: Any, learnt: list, setting: str) -> None:
    """Warn if masks are read differently from those of the training."""
    for member in plain_members(dataset) if learnt else ():
        for key in ('reduce_zero_label', 'label_map'):
            own, other = (getattr(m, key, None) for m in (member, learnt[0]))
            if own != other:
                print_log(
                    f'{setting}.{key} is {own!r}, but {other!r} in the '
                    'labelled set: set both to the same value, unless their '
                    'masks differ in this',
                    logger='current',
                    level=logging.WARNING,
                )


def _find_learnt_images(dataset: Any, learnt: list, setting: str) -> None:
    """Warn of images whose labels are both learnt and scored."""
    known, scored = (
        {osp.abspath(path) for part in parts for path in image_files(part)}
        for parts in (learnt, plain_members(dataset))
    )
    both = sorted(known & scored)
    if both:
        print_log(
            f'{len(both)} of {len(scored)} images of {setting} are labelled '
            f'training images, such as {both[0]!r}: their scores say nothing '
            'about other images',
            logger='current',
            level=logging.WARNING,
        )


def try_batch(loader: Any, model: Any) -> None:
    """Load a batch of the first images, as a trial.

    Args:
        loader (DataLoader): Loader of a ``SemiSegDataset``; nothing is tried
            with another data set.
        model (MutualSemiSegmentor): Model that preprocesses the batch.

    Raises:
        ValueError: If a pipeline lacks a step, or its results cannot be
            stacked.
    """
    if not hasattr(loader.dataset, 'unlabelled'):
        return
    print_log('Trying a batch of the first images', logger='current')
    for name in ('labelled', 'unlabelled'):
        for part in plain_members(getattr(loader.dataset, name)):
            _find_lost_bits(part, f'train_dataloader.dataset.{name}')
    count = min(len(loader.dataset), loader.batch_size or 1)
    with seeded(0):
        items = [loader.dataset[i] for i in range(count)]
    model = unwrap(model)
    batch = model.data_preprocessor(loader.collate_fn(items), True)
    if hasattr(model, 'check_passes'):
        model.check_passes(batch['inputs'])


def _find_lost_bits(dataset: Any, setting: str) -> None:
    """Warn of images that lose nearly all of their bits when loaded."""
    if not is_stock_loader(image_loader(dataset)):
        return
    paths = [path for path in image_files(dataset) if '://' not in path]
    for path in paths[:: max(len(paths) // PROBED, 1)]:
        lost = lost_bits(path, cv2.imread(path, cv2.IMREAD_COLOR))
        if lost is not None:
            print_log(
                f'{setting}: {lost}', logger='current', level=logging.WARNING
            )
            return


def _padding_hint(error: Exception) -> str:
    """Hint for networks that accept only some sizes, such as U-Net, or ''."""
    if 'divisible' not in str(error):
        return ''
    return (
        '; set model.data_preprocessor.test_cfg=dict(size_divisor=...) to '
        'that number'
    )


def described(error: Exception) -> str:
    """Type and text of an error, or its line of code if it has no text."""
    text = str(error)
    if not text:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f'{place.line} ({place.filename}, line {place.lineno})'
    return f'{type(error).__name__}: {text}'
