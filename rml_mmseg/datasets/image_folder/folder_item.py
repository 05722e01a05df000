"""Finding, checking and dividing the images of an arbitrary folder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

from .mask_decoding import ColourTable, read_mask

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
MASK_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff')
# One spelling of each format, so that a folder needs one suffix only.
_SPELLING = {'.jpeg': '.jpg', '.tiff': '.tif'}


@dataclass(frozen=True)
class FolderItem:
    """An image and, where there is one, its mask.

    Args:
        name (str): Path relative to the folder, with forward slashes and
            without suffix.
        image (Path): The image.
        mask (Path, optional): The mask. Defaults to None.
    """

    name: str
    image: Path
    mask: Optional[Path] = None


@dataclass(frozen=True)
class ItemReport:
    """What was found in one item.

    Args:
        name (str): Name of the item.
        problem (str): What is wrong; empty if nothing is.
        pixels (np.ndarray, optional): Pixels of each id 0 to 255, (256,).
            None without a mask.
    """

    name: str
    problem: str = ''
    pixels: Optional[np.ndarray] = None


def _by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Files of a folder and its sub-folders by name without suffix."""
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder} is not a folder')
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() not in suffixes or not path.is_file():
            continue
        relative = path.relative_to(folder)
        name = relative.with_name(path.stem).as_posix()
        if name in files:
            raise ValueError(
                f'{files[name]} and {path} differ in their suffix only; '
                'their names must differ too'
            )
        files[name] = path
    return files


def scan_folder(
    images: Path, masks: Optional[Path] = None, mask_ending: str = ''
) -> tuple[list[FolderItem], list[Path]]:
    """Pair the images of a folder with their masks by name.

    Args:
        images (Path): Folder of images; sub-folders count.
        masks (Path, optional): Folder of masks with the same sub-folders.
            Defaults to None: no image is labelled.
        mask_ending (str): What a mask's name has after the image's, such as
            '_mask' for a.jpg and a_mask.png. Defaults to ''.

    Returns:
        tuple[list[FolderItem], list[Path]]: Items sorted by name, and masks
        that belong to no image.

    Raises:
        FileNotFoundError: If a folder or all images are missing.
        ValueError: If two files differ in their suffix only, or images and
            masks are in one folder without an ending to tell them apart.
    """
    found = _by_name(images, IMAGE_SUFFIXES)
    if masks is not None and images.resolve() == masks.resolve():
        if not mask_ending:
            raise ValueError(
                f'images and masks are both {images}; then the masks need an '
                "ending of their own, such as '_mask'"
            )
        found = {
            name: path
            for name, path in found.items()
            if not name.endswith(mask_ending)
        }
    if not found:
        raise FileNotFoundError(
            f'{images} holds no image ({", ".join(IMAGE_SUFFIXES)})'
        )
    by_image = {}
    if masks is not None:
        by_image = {
            name[: len(name) - len(mask_ending)]: path
            for name, path in _by_name(masks, MASK_SUFFIXES).items()
            if name.endswith(mask_ending)
        }
    items = [
        FolderItem(name, path, by_image.pop(name, None))
        for name, path in found.items()
    ]
    return items, sorted(by_image.values())


def common_suffix(items: Iterable[FolderItem]) -> str:
    """The one suffix of all images, or '' if they differ.

    Args:
        items (Iterable[FolderItem]): Items; upper case and the spellings
            .jpeg and .tiff do not count as different.
    """
    suffixes = {item.image.suffix.lower() for item in items}
    suffixes = {_SPELLING.get(suffix, suffix) for suffix in suffixes}
    return suffixes.pop() if len(suffixes) == 1 else ''


def inspect_item(
    item: FolderItem,
    table: Optional[ColourTable] = None,
    num_classes: Optional[int] = None,
    ignore_index: int = 255,
) -> ItemReport:
    """Read an item in full and check it.

    Images are read as a training reads them, so that a rotation noted in
    the image's EXIF data shows as a difference in size.

    Args:
        item (FolderItem): What to read.
        table (ColourTable, optional): What the masks' colours mean.
        num_classes (int, optional): Number of classes, if known.
        ignore_index (int): Id of ignored pixels. Defaults to 255.

    Returns:
        ItemReport: Problem or pixel counts.
    """
    image = cv2.imread(str(item.image), cv2.IMREAD_COLOR)
    if image is None:
        return ItemReport(
            item.name, f'{item.image} cannot be read as an image'
        )
    if item.mask is None:
        return ItemReport(item.name)
    try:
        mask = read_mask(item.mask, table)
    except ValueError as error:
        return ItemReport(item.name, str(error))
    if mask.shape != image.shape[:2]:
        return ItemReport(
            item.name,
            f'{item.mask} is {mask.shape[0]} x {mask.shape[1]} pixels, but '
            f'its image {image.shape[0]} x {image.shape[1]} (height x width)',
        )
    pixels = np.bincount(mask.ravel(), minlength=256)
    ids = np.flatnonzero(pixels)
    if num_classes is not None:
        wrong = ids[(ids >= num_classes) & (ids != ignore_index)]
        if wrong.size:
            return ItemReport(
                item.name,
                f'{item.mask} holds the ids {wrong.tolist()}, but '
                f'{num_classes} classes have the ids 0 to {num_classes - 1}, '
                f'and {ignore_index} is ignored',
            )
    return ItemReport(item.name, pixels=pixels)


def choose_val(
    labelled: Sequence[str], fraction: float, generator: np.random.Generator
) -> list[str]:
    """Random labelled images for validation.

    Args:
        labelled (Sequence[str]): Names of all labelled images.
        fraction (float): Fraction of them in [0, 1); rounded, but at least
            one image unless it is 0.
        generator (np.random.Generator): Source of the choice.

    Returns:
        list[str]: Sorted names.

    Raises:
        ValueError: If the fraction is out of range or leaves no labelled
            image for training.
    """
    if not 0 <= fraction < 1:
        raise ValueError(
            f'the fraction for validation must be in [0, 1), but is {fraction}'
        )
    count = max(round(fraction * len(labelled)), int(fraction > 0))
    if labelled and count >= len(labelled):
        raise ValueError(
            f'validation takes {count} of {len(labelled)} labelled images, '
            'which leaves none for training'
        )
    chosen = generator.permutation(len(labelled))[:count]
    return sorted(labelled[index] for index in chosen)


def check_val(labelled: Sequence[str], val: Sequence[str]) -> list[str]:
    """Check a given list of images for validation.

    Args:
        labelled (Sequence[str]): Names of all labelled images.
        val (Sequence[str]): Names for validation.

    Returns:
        list[str]: Sorted names.

    Raises:
        ValueError: If a name has no labelled image, or none is left for
            training.
    """
    unknown = sorted(set(val) - set(labelled))
    if unknown:
        raise ValueError(
            f'{len(unknown)} names for validation belong to no image with a '
            f'mask, the first being {unknown[0]!r}'
        )
    if len(set(val)) == len(labelled):
        raise ValueError(
            f'validation takes all {len(labelled)} labelled images, which '
            'leaves none for training'
        )
    return sorted(set(val))
