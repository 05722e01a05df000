"""Writing the images of an arbitrary folder in the layout of mmseg."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
from PIL import Image

from .image_folder import FolderItem, ItemReport
from .mask_decoding import ColourTable, read_mask


def _place(source: Path, target: Path, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        os.symlink(source.resolve(), target)
    else:
        shutil.copyfile(source, target)


def write_item(
    item: FolderItem,
    out: Path,
    split: str,
    suffix: str,
    link: bool,
    table: Optional[ColourTable],
) -> None:
    """Write one image and its mask.

    Args:
        item (FolderItem): What to write.
        out (Path): Folder of the data set.
        split (str): 'train' or 'val'.
        suffix (str): Suffix of the images; '' has them written as PNG.
        link (bool): Whether to link what needs no decoding.
        table (ColourTable, optional): What the masks' colours mean.
    """
    target = out / 'img_dir' / split / f'{item.name}{suffix or ".png"}'
    if suffix:
        _place(item.image, target, link)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        image = cv2.imread(str(item.image), cv2.IMREAD_COLOR)
        if image is None:
            raise OSError(f'{item.image} cannot be read as an image')
        cv2.imwrite(str(target), image)
    if item.mask is None:
        return
    target = out / 'ann_dir' / split / f'{item.name}.png'
    with Image.open(item.mask) as file:
        ready = file.format == 'PNG' and file.mode == 'L' and table is None
    if ready:
        _place(item.mask, target, link)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), read_mask(item.mask, table))


def config_text(
    out: Path,
    suffix: str,
    names: tuple[str, ...],
    palette: Optional[list[list[int]]],
    ignore_index: int,
) -> str:
    """Config of the data set, for use as a base or to copy from.

    Args:
        out (Path): Folder of the data set.
        suffix (str): Suffix of the images.
        names (tuple[str]): Class names.
        palette (list, optional): RGB colour of each class.
        ignore_index (int): Id of ignored pixels.
    """
    colours = f', palette={palette!r}' if palette else ''
    common = (
        "    type='BaseSegDataset',\n    data_root=data_root,\n"
        f'    metainfo=metainfo,\n    img_suffix={suffix!r},\n'
        f'    ignore_index={ignore_index},\n'
    )
    text = (
        f'data_root = {out.as_posix()!r}\n'
        f'num_classes = {len(names)}\n'
        f'metainfo = dict(classes={names!r}{colours})\n'
    )
    parts = (
        ('labelled', 'train', True),
        ('unlabelled', 'train', False),
        ('val', 'val', True),
    )
    for part, split, masks in parts:
        prefix = f"img_path='img_dir/{split}'"
        if masks:
            prefix += f", seg_map_path='ann_dir/{split}'"
        text += (
            f'\n{part}_dataset = dict(\n{common}'
            f"    ann_file='splits/{part}.txt',\n"
            f'    data_prefix=dict({prefix}),\n)\n'
        )
    return text


def statistics(
    splits: Mapping[str, Sequence[str]],
    reports: dict[str, ItemReport],
    names: Sequence[str],
    ignore_index: int = 255,
) -> dict[str, Any]:
    """Pixels and images of each class.

    Args:
        splits (Mapping[str, Sequence[str]]): Names of images by split.
        reports (dict[str, ItemReport]): Reports by name.
        names (Sequence[str]): Class names.
        ignore_index (int): Id of ignored pixels. Defaults to 255.

    Returns:
        dict: Number of images of every split; for those with masks the
        number of ignored pixels and, by class, the pixels, their share of
        all labelled pixels and the images that show the class.
    """
    result: dict[str, Any] = {}
    for split, members in splits.items():
        found = [reports[name].pixels for name in members]
        counts = np.array([c for c in found if c is not None])
        result[split] = dict(images=len(members))
        if not counts.size:
            continue
        pixels = counts[:, : len(names)].sum(axis=0)
        shown = (counts[:, : len(names)] > 0).sum(axis=0)
        result[split]['ignored_pixels'] = int(counts[:, ignore_index].sum())
        result[split]['classes'] = {
            name: dict(
                pixels=int(pixels[index]),
                share=round(float(pixels[index] / max(pixels.sum(), 1)), 6),
                images=int(shown[index]),
            )
            for index, name in enumerate(names)
        }
    return result
