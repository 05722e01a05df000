"""Checks of the classes that a network learns and is scored on."""

import logging
from typing import Any

from mmengine.logging import print_log
from torch import nn

from rml_mmseg.datasets.members import class_names


def check_classes(
    model: nn.Module, training: Any, val_loop: Any = None
) -> None:
    """Make sure that model, training and validation agree on the classes.

    Args:
        model (nn.Module): The model; compared only if it has an integer
            ``num_classes``.
        training (Dataset): The training set; not checked without
            ``metainfo['classes']``.
        val_loop (BaseLoop, optional): The validation. Defaults to none.

    Raises:
        ValueError: If the number or the order of the classes differs.
    """
    classes = class_names(training)
    number = getattr(model, 'num_classes', None)
    if classes and isinstance(number, int) and len(classes) != number:
        part = 'model.segmentors' if hasattr(model, 'students') else 'model'
        raise ValueError(
            f'decode_head.num_classes of {part} is {number}, but the '
            f'training set has {len(classes)} classes: {tuple(classes)}; set '
            f'num_classes={len(classes)}, or metainfo.classes of the dataset'
        )
    loader = getattr(val_loop, 'dataloader', None)
    others = class_names(getattr(loader, 'dataset', None))
    if not classes or not others or others == classes:
        return
    message = (
        'val_dataloader.dataset has other classes than the training set, '
        f'{tuple(others)} instead of {tuple(classes)}, so scores would get '
        'wrong names. Set its metainfo.classes to the same list'
    )
    moved = [
        name
        for name, other in zip(classes, others)
        if name != other and name in others
    ]
    if moved or len(others) != len(classes):
        raise ValueError(message)
    # The same classes may be named in another language.
    print_log(message, logger='current', level=logging.WARNING)
