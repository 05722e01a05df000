"""What the teachers make of all images when a stage begins."""

import os.path as osp
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Optional

import torch
from mmengine.dist import barrier, get_dist_info, is_main_process
from mmengine.utils import ProgressBar
from PIL import Image
from torch import Tensor

from rml_mmseg.datasets import SemiSegDataset
from rml_mmseg.datasets.soft_labels import SoftLabelStore
from rml_mmseg.models.utils.pseudo_labels import sample_logits
from rml_mmseg.models.utils.segmentor_forward import final_head
from rml_mmseg.models.utils.window_forward import whole_logits

from ..checks.trials import described


def image_paths(
    dataset: SemiSegDataset, labelled: bool = True
) -> list[tuple[str, bool]]:
    """This rank's images: their paths and whether they are unlabelled.

    Args:
        dataset (SemiSegDataset): Labelled and unlabelled images.
        labelled (bool): Whether the labelled ones are among them.
    """
    rank, world_size = get_dist_info()
    paths = [(path, True) for path in _paths(dataset.unlabelled)]
    if labelled:
        # An image of both sets counts once.
        both = {osp.realpath(p) for p, _ in paths if dataset.allow_overlap}
        paths = [
            *(
                (path, False)
                for path in _paths(dataset.labelled)
                if osp.realpath(path) not in both
            ),
            *paths,
        ]
    return paths[rank::world_size]


def _paths(part: Any) -> list[str]:
    return [part.get_data_info(i)['img_path'] for i in range(len(part))]


def with_progress(paths: list, title: str) -> Iterator[Any]:
    """Go through paths, the main process showing progress and ETA."""
    shown = is_main_process() and bool(paths)
    if shown:
        print(title)
        bar = ProgressBar(len(paths), file=sys.stderr)
    for item in paths:
        yield item
        if shown:
            bar.update()
    if shown:
        print(file=sys.stderr)


def whole_image(
    model: Any, dataset: SemiSegDataset, path: str
) -> tuple[Tensor, Tensor]:
    """A whole image as the teachers see it.

    Returns:
        tuple[Tensor, Tensor]: The image (1, 3, H, W), and where it is not
        padding (1, H, W).
    """
    item = dataset.load_image(path)
    batch = dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
    done = model.data_preprocessor(batch, training=False)
    images = done['inputs']
    height, width = images.shape[-2:]
    meta = done['data_samples'][0].metainfo
    padding = meta.get('img_padding_size', meta.get('padding_size', (0,) * 4))
    left, right, top, bottom = padding
    valid = torch.zeros(1, height, width, dtype=torch.bool)
    valid[:, top : height - bottom, left : width - right] = True
    return images, valid.to(images.device)


def readable_image(
    model: Any, dataset: SemiSegDataset, path: str, unlabelled: bool
) -> Optional[tuple[Tensor, Tensor]]:
    """A whole image, or None for an unlabelled one that cannot be read.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        dataset (SemiSegDataset): Counts what cannot be read.
        path (str): The image.
        unlabelled (bool): Whether it may be left out.
    """
    if path in dataset.unreadable:
        return None
    try:
        return whole_image(model, dataset, path)
    except Exception as error:
        if not unlabelled:
            raise
        dataset.note_unreadable(path, error, dataset.image_pipeline)
        return None


def without_padding(
    logits: Tensor, valid: Tensor, align_corners: bool = False
) -> Tensor:
    """Logits of the part of an image that is not padding.

    Args:
        logits (Tensor): Of the padded image, (K, h, w).
        valid (Tensor): (1, H, W) bool, True in a box.
        align_corners (bool): As of the head.

    Returns:
        Tensor: (K, h', w'), as dense as they were.
    """
    if valid.all():
        return logits
    axes = []
    for inside, cells in zip(
        (valid[0].any(0), valid[0].any(1)), (logits.shape[2], logits.shape[1])
    ):
        first, length = int(inside.int().argmax()), int(inside.sum())
        count = max(round(cells * length / len(inside)), 1)
        steps = torch.arange(count, device=logits.device)
        if align_corners:
            fractions = steps / max(count - 1, 1)
        else:
            fractions = (steps + 0.5) / count
        axes.append((first + fractions * length) / len(inside))
    rows, columns = torch.meshgrid(axes[1], axes[0], indexing='ij')
    places = torch.stack([columns, rows])
    return sample_logits(logits, places, align_corners)


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
) -> None:
    """Compute prototypes and, for a store, soft pseudo labels.

    A prototype is the mean feature of all pixels, over all labelled and
    unlabelled images, that the learner's teacher puts into the class
    (Eq. 10 of RML), added up over all ranks. A teacher that is tested in
    windows reads images in these; pixels of several count several times.
    Soft labels that the store holds already are not written again.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        dataset (SemiSegDataset): The training set.
        store (SoftLabelStore, optional): Where soft labels go.
    """
    prototypes = len(model.rectifiers) > 0
    if not prototypes and store is None:
        return
    for rectifier in model.rectifiers:
        # Of a step that the stage's end left unfinished.
        rectifier.discard()
    paths = image_paths(dataset, labelled=prototypes)
    for path, unlabelled in with_progress(paths, 'Teachers read all images'):
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
                model.rectifiers[i].accumulate if prototypes else None,
            )
            for i, teacher in enumerate(model.teachers)
        ]
        if store is not None and writes:
            _write(store, path, model, outputs, valid)
    for rectifier in model.rectifiers:
        rectifier.initialise()
    barrier()


@torch.no_grad()
def try_stage_pass(model: Any, dataset: SemiSegDataset) -> None:
    """Let the teachers read an image of each size and forget it.

    What they cannot read then stops a run before its burn-in, not after.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        dataset (SemiSegDataset): The training set.

    Raises:
        RuntimeError: If they cannot; names the image.
    """
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


def one_of_each_size(
    paths: list[tuple[str, bool]], looked_at: int = 200, most: int = 8
) -> list[tuple[str, bool]]:
    """The first image of each size, among some that are evenly apart.

    Args:
        paths (list[tuple[str, bool]]): As of :func:`image_paths`.
        looked_at (int): Number of images whose header is read, about.
            Defaults to 200.
        most (int): Number of sizes that are enough. Defaults to 8.
    """
    found: dict[tuple[int, int], tuple[str, bool]] = {}
    for item in paths[:: max(len(paths) // looked_at, 1)]:
        # Files that are read in another way, or not at all, are of one size.
        size = (0, 0)
        with suppress(Exception), Image.open(item[0]) as file:
            size = file.size
        found.setdefault(size, item)
    return list(found.values())[:most]


@torch.no_grad()
def mend_store(
    model: Any, dataset: SemiSegDataset, store: SoftLabelStore, snapshot: dict
) -> int:
    """Make again what a store lacks, with the teachers of the stage's start.

    Args:
        model (MutualSemiSegmentor): Unwrapped model; its teachers are put
            back as they were.
        dataset (SemiSegDataset): The training set.
        store (SoftLabelStore): The store of the stage.
        snapshot (dict): State of the teachers when the stage began.

    Returns:
        int: Number of images whose labels this rank made again.
    """
    paths = image_paths(dataset, labelled=False)
    lacking = [
        path
        for path, _ in with_progress(paths, 'Checking soft pseudo labels')
        if not store.holds(path)
    ]
    if lacking:
        today = {k: v.clone() for k, v in model.teachers.state_dict().items()}
        model.teachers.load_state_dict(snapshot)
        for path in with_progress(lacking, 'Making soft pseudo labels again'):
            read = readable_image(model, dataset, path, True)
            if read is not None:
                images, valid = read
                outputs = [
                    whole_logits(t, images, valid) for t in model.teachers
                ]
                _write(store, path, model, outputs, valid)
        model.teachers.load_state_dict(today)
    barrier()
    return len(lacking)
