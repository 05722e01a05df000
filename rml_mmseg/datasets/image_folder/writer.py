"""Writing the images of a folder in the layout of mmseg."""

import os
import shutil
from pathlib import Path
from typing import Optional

import mmcv

from .annotations import Annotations
from .folder_item import FolderItem
from .value_range import read_image


def _place(source: Path, target: Path, link: bool) -> None:
    if link:
        os.symlink(source.resolve(), target)
    else:
        shutil.copyfile(source, target)


def write_item(
    item: FolderItem,
    annotations: Optional[Annotations],
    out: Path,
    split: str,
    suffix: str,
    link: bool,
    value_range: Optional[tuple[float, float]] = None,
) -> None:
    """Write one image and its mask.

    Args:
        item (FolderItem): Item to write.
        annotations (Annotations, optional): Annotations that hold its mask.
        out (Path): Folder of the data set.
        split (str): 'train', 'val' or 'test'.
        suffix (str): Suffix of the images; '' decodes them and writes PNG.
        link (bool): Whether to link files that need no decoding.
        value_range (tuple[float, float], optional): Values that become 0
            and 255 in images that are decoded.

    Raises:
        OSError: If a file cannot be read or written.
    """
    target = out / 'img_dir' / split / f'{item.name}{suffix or ".png"}'
    target.parent.mkdir(parents=True, exist_ok=True)
    if suffix:
        _place(item.image, target, link)
    else:
        image = read_image(item.image, value_range)
        if image is None:
            raise OSError(f'{item.image} cannot be read as an image')
        mmcv.imwrite(image, str(target))
    if not item.annotated or annotations is None:
        return
    target = out / 'ann_dir' / split / f'{item.name}.png'
    target.parent.mkdir(parents=True, exist_ok=True)
    ready = annotations.ready(item.name)
    if ready is not None:
        _place(ready, target, link)
    else:
        mmcv.imwrite(annotations.read(item.name), str(target))
