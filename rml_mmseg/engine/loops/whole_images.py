"""Images of a training set as teachers read them: whole, one by one."""

import os.path as osp
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Optional

import torch
from mmengine.dist import get_dist_info, is_main_process
from mmengine.utils import track_iter_progress
from PIL import Image
from torch import Tensor

from rml_mmseg.datasets import SemiSegDataset
from rml_mmseg.datasets.members import image_files


def image_paths(
    dataset: SemiSegDataset, labelled: bool = True
) -> list[tuple[str, bool]]:
    """This rank's images: their paths and whether they are unlabelled.

    Args:
        dataset (SemiSegDataset): Labelled and unlabelled images.
        labelled (bool): Whether to include labelled ones. Defaults to True.
    """
    rank, world_size = get_dist_info()
    paths = [(path, True) for path in image_files(dataset.unlabelled)]
    if labelled:
        # An image in both sets counts once.
        both = {osp.realpath(p) for p, _ in paths if dataset.allow_overlap}
        paths = [
            *(
                (path, False)
                for path in image_files(dataset.labelled)
                if osp.realpath(path) not in both
            ),
            *paths,
        ]
    return paths[rank::world_size]


def with_progress(paths: list, title: str) -> Iterable[Any]:
    """Iterate over paths; the main process shows progress and ETA."""
    if not paths or not is_main_process():
        return paths
    print(title)
    return track_iter_progress(paths, file=sys.stderr)


def whole_image(
    model: Any, dataset: SemiSegDataset, path: str
) -> tuple[Tensor, Tensor]:
    """A whole image as the teachers see it.

    Returns:
        tuple[Tensor, Tensor]: The image (1, C, H, W), and a bool mask
        (1, H, W), False on padding.
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
        dataset (SemiSegDataset): Loads it, and counts unreadable images.
        path (str): The image.
        unlabelled (bool): Whether it is unlabelled, and may be skipped.
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


def one_of_each_size(
    paths: list[tuple[str, bool]], looked_at: int = 200, most: int = 8
) -> list[tuple[str, bool]]:
    """The first image of each size, among evenly spaced ones.

    Args:
        paths (list[tuple[str, bool]]): As from :func:`image_paths`.
        looked_at (int): Approximate number of images whose header is read.
            Defaults to 200.
        most (int): Greatest number of sizes. Defaults to 8.
    """
    found: dict[tuple[int, int], tuple[str, bool]] = {}
    for item in paths[:: max(len(paths) // looked_at, 1)]:
        # Files that Pillow cannot open count as one size.
        size = (0, 0)
        with suppress(Exception), Image.open(item[0]) as file:
            size = file.size
        found.setdefault(size, item)
    return list(found.values())[:most]
