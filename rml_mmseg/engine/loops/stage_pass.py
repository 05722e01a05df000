"""The pass of the teachers over all images when a stage begins."""

from typing import Any, Optional

import torch
from mmengine.dist import barrier
from mmengine.logging import print_log
from torch import Tensor

from rml_mmseg.datasets import SemiSegDataset
from rml_mmseg.datasets.soft_labels import SoftLabelStore
from rml_mmseg.models.utils.heads import final_head
from rml_mmseg.models.utils.pseudo_labels import sample_logits
from rml_mmseg.models.utils.window_forward import whole_logits

from ..checks.trials import described
from .whole_images import (
    image_paths,
    one_of_each_size,
    readable_image,
    with_progress,
)


def without_padding(
    logits: Tensor, valid: Tensor, align_corners: bool = False
) -> Tensor:
    """Logits of the part of an image that is not padding.

    Args:
        logits (Tensor): Logits of the padded image, (K, h, w).
        valid (Tensor): (1, H, W) bool, True in a box: the image.
        align_corners (bool): Whether logits at the corners are at the centres
            of the corner pixels, as in some heads. Defaults to False.

    Returns:
        Tensor: (K, h', w'), as dense as before, each at the centre of its
        cell.
    """
    if valid.all() and not align_corners:
        return logits
    axes = []
    for inside, cells in zip(
        (valid[0].any(0), valid[0].any(1)), (logits.shape[2], logits.shape[1])
    ):
        first, length = int(inside.int().argmax()), int(inside.sum())
        count = max(round(cells * length / len(inside)), 1)
        steps = torch.arange(count, device=logits.device)
        places = first + (steps + 0.5) / count * length
        if align_corners:
            axes.append((places - 0.5) / max(len(inside) - 1, 1))
        else:
            axes.append(places / len(inside))
    rows, columns = torch.meshgrid(axes[1], axes[0], indexing='ij')
    return sample_logits(logits, torch.stack([columns, rows]), align_corners)


def _write(
    store: SoftLabelStore,
    path: str,
    model: Any,
    outputs: list[Tensor],
    valid: Tensor,
) -> None:
    """Store the teachers' logits, each (1, K, h, w), of one image."""
    labels = [
        without_padding(logits[0], valid, final_head(teacher).align_corners)
        for teacher, logits in zip(model.teachers, outputs)
    ]
    store.write(path, labels)


@torch.no_grad()
def run_stage_pass(
    model: Any,
    dataset: SemiSegDataset,
    store: Optional[SoftLabelStore] = None,
    prototypes: bool = True,
) -> int:
    """Compute prototypes and, if there is a store, soft pseudo labels.

    A prototype is the mean feature of all pixels, over all labelled and
    unlabelled images and all ranks, that the learner's teacher assigns to
    the class (Eq. 10 of RML). A teacher that is tested in sliding windows
    reads images in these; pixels in several windows count several times.
    Soft labels that the store already holds are not written again.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        dataset (SemiSegDataset): The training set.
        store (SoftLabelStore, optional): Where soft labels go. Defaults to
            none.
        prototypes (bool): Whether the rectifiers, if there are any, get
            prototypes. Defaults to True.

    Returns:
        int: Number of images whose labels this rank wrote.
    """
    rectifiers = model.rectifiers if prototypes else ()
    prototypes = len(rectifiers) > 0
    if not prototypes and store is None:
        return 0
    made = 0
    for rectifier in rectifiers:
        # Features of a step that the stage's end left unfinished.
        rectifier.discard()
    paths = image_paths(dataset, labelled=prototypes)
    title = 'Teachers read all images'
    if not prototypes:
        title = 'Checking soft pseudo labels and making missing ones'
    for path, unlabelled in with_progress(paths, title):
        writes = store is not None and unlabelled and not store.holds(path)
        if not (prototypes or writes):
            continue
        read = readable_image(model, dataset, path, unlabelled)
        if read is None:
            continue
        images, valid = read
        outputs = [
            whole_logits(
                teacher,
                images,
                valid,
                rectifiers[i].accumulate if prototypes else None,
            )
            for i, teacher in enumerate(model.teachers)
        ]
        if store is not None and writes:
            _write(store, path, model, outputs, valid)
            made += 1
    for rectifier in rectifiers:
        rectifier.initialise()
    barrier()
    return made


@torch.no_grad()
def try_stage_pass(model: Any, dataset: SemiSegDataset) -> None:
    """Let the teachers read an image of each size, as a trial.

    An image that they cannot read stops the run before burn-in, not after.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        dataset (SemiSegDataset): The training set.

    Raises:
        RuntimeError: If they cannot; names the image.
    """
    print_log('Trying an image of each size', logger='current')
    for path, unlabelled in one_of_each_size(image_paths(dataset)):
        read = readable_image(model, dataset, path, unlabelled)
        if read is None:
            continue
        try:
            for teacher in model.teachers:
                whole_logits(teacher, *read)
        except Exception as error:
            size = tuple(read[0].shape[-2:])
            raise RuntimeError(
                f'the teachers cannot read {path!r}, of (height, width) '
                f'{size}: {described(error)}'
            ) from error


@torch.no_grad()
def mend_store(
    model: Any, dataset: SemiSegDataset, store: SoftLabelStore, snapshot: dict
) -> int:
    """Fill the gaps of a store, with the teachers of the stage's start.

    Args:
        model (MutualSemiSegmentor): Unwrapped model; its teachers are
            restored afterwards.
        dataset (SemiSegDataset): The training set.
        store (SoftLabelStore): The store of the stage.
        snapshot (dict): State dict of the teachers when the stage began.

    Returns:
        int: Number of images whose labels this rank made again.
    """
    today = {k: v.clone() for k, v in model.teachers.state_dict().items()}
    model.teachers.load_state_dict(snapshot)
    made = run_stage_pass(model, dataset, store, prototypes=False)
    model.teachers.load_state_dict(today)
    return made
