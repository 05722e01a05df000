"""A check of one image and its annotation."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..counted import counted
from ..transforms.check_image import (
    check_image_file,
    lost_bits,
    pixel_digest,
)
from .annotations import IGNORED, Annotations
from .folder_item import FolderItem
from .value_range import read_image


@dataclass(frozen=True)
class ItemReport:
    """Findings about one item.

    Args:
        name (str): Name of the item.
        problem (str): What is wrong; empty if nothing is.
        size (tuple[int, int]): Height and width in pixels.
        pixels (np.ndarray, optional): Number of pixels of each id 0 to 255,
            (256,), also if the problem is with the ids. None without a mask.
        digest (str): Hash of the image's pixels.
    """

    name: str
    problem: str = ''
    size: tuple[int, int] = (0, 0)
    pixels: Optional[np.ndarray] = None
    digest: str = ''


def inspect_item(
    item: FolderItem,
    annotations: Optional[Annotations] = None,
    num_classes: Optional[int] = None,
    value_range: Optional[tuple[float, float]] = None,
) -> ItemReport:
    """Read an item in full and check it.

    Images are read as in training, so that a rotation in the image's EXIF
    data shows as a difference in size.

    Args:
        item (FolderItem): Item to read.
        annotations (Annotations, optional): Annotations that hold its mask,
            if it has one.
        num_classes (int, optional): Number of classes, if known.
        value_range (tuple[float, float], optional): Values that become 0
            and 255, for images of more than eight bits.

    Returns:
        ItemReport: Problem or pixel counts.
    """

    def wrong(problem: str, pixels: Optional[np.ndarray] = None) -> ItemReport:
        return ItemReport(item.name, problem, pixels=pixels)

    try:
        image = read_image(item.image, value_range)
        if value_range is None:
            lost = lost_bits(str(item.image), image)
            if lost is not None:
                return wrong(lost)
            check_image_file(str(item.image))
    except (ValueError, OSError) as error:
        return wrong(str(error))
    if image is None:
        return wrong(
            f'{item.image} cannot be read as an image. Replace or remove it'
        )
    size = image.shape[:2]
    digest = pixel_digest(image)
    if not item.annotated or annotations is None:
        return ItemReport(item.name, size=size, digest=digest)
    place = annotations.describe(item.name)
    try:
        mask = annotations.read(item.name)
    except ValueError as error:
        return wrong(str(error))
    if mask.shape != size:
        return wrong(
            f'{place} is {mask.shape[0]} x {mask.shape[1]} pixels, but '
            f'its image {size[0]} x {size[1]} (height x width). Export it '
            "again at the image's size"
        )
    pixels = np.bincount(mask.ravel(), minlength=256).astype(np.int64)
    ids = np.flatnonzero(pixels)
    if num_classes is not None:
        excess = ids[(ids >= num_classes) & (ids != IGNORED)]
        if excess.size:
            return wrong(
                f'{place} holds the ids {excess.tolist()}, but '
                f'{counted(num_classes, "class has", "classes have")} the ids '
                f'0 to {num_classes - 1}, and {IGNORED} is ignored. Correct '
                'the mask or --classes',
                pixels,
            )
    if ids.tolist() == [IGNORED]:
        return wrong(
            f'{place} has only ignored pixels. Remove it to use its image as '
            'an unlabelled one'
        )
    return ItemReport(item.name, size=size, pixels=pixels, digest=digest)
