"""Annotations of COCO."""

import contextlib
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Optional

import numpy as np

from .polygons import polygon_classes, unused


class CocoFile:
    """One JSON file of polygons or run lengths for all images.

    A small object covers a large one where they overlap. Images without
    annotations count as not annotated. pycocotools reads the file.

    Args:
        path (Path): File with ``images``, ``annotations`` and
            ``categories``.
        names (Collection[str]): Names of all images, to which the
            ``file_name`` of an image must be equal but for the suffix.
        classes (Sequence[str], optional): Class names in order. Defaults to
            the categories that occur, by their id.
        background (bool): Whether what no object covers is a class of its
            own; otherwise it is ignored. Defaults to True.

    Raises:
        ModuleNotFoundError: If pycocotools is not installed.
        ValueError: If the file is none of COCO's, or a category unknown.
    """

    palette: Optional[list[list[int]]] = None

    def __init__(
        self,
        path: Path,
        names: Collection[str],
        classes: Optional[Sequence[str]] = None,
        background: bool = True,
    ) -> None:
        self.path = path
        self._coco = _load(path)
        # Files that were merged may list an image several times.
        images: dict[str, list[int]] = {}
        for number, image in self._coco.imgs.items():
            if self._coco.imgToAnns[number]:
                images.setdefault(_name(image), []).append(number)
        self._images = {n: i for n, i in images.items() if n in names}
        if not self._images:
            raise ValueError(
                f'{path}: no annotated image is in the folder of images; '
                f'file_name is {next(iter(images), None)!r} there, and the '
                f'folder has {min(names)!r}. Name the folder that file_name '
                'starts from'
            )
        self.orphans = [f'{path}: {name}' for name in unused(images, names)]
        used = {a['category_id'] for a in self._coco.anns.values()}
        categories = self._coco.cats
        unknown = used - set(categories)
        if unknown:
            raise ValueError(
                f'{path}: annotations have the category_id {min(unknown)}, '
                'which is not in categories; add it there'
            )
        labels = {
            str(categories[number]['name']): str(path)
            for number in sorted(used)
        }
        self.classes: Optional[tuple[str, ...]]
        self.classes, self._ids = polygon_classes(labels, classes, background)

    def __contains__(self, name: object) -> bool:
        """Whether an image of this name is annotated."""
        return name in self._images

    def describe(self, name: str) -> str:
        """The file and the image in it."""
        return f'{self.path} ({name})'

    def read(self, name: str) -> np.ndarray:
        """Class ids, uint8 (H, W), with 255 for ignored pixels.

        Raises:
            ValueError: If an annotation is wrong; names the file and the
                annotation.
        """
        numbers = self._images[name]
        images = [self._coco.imgs[number] for number in numbers]
        size, *others = {(i['height'], i['width']) for i in images}
        if others:
            raise ValueError(
                f'{self.path}: the images {numbers} are all {name!r}, but '
                'differ in height or width'
            )
        mask = np.full(size, self._ids['background'], np.uint8)
        drawn = [
            (self._drawn(annotation), annotation['category_id'])
            for number in numbers
            for annotation in self._coco.imgToAnns[number]
        ]
        drawn.sort(key=lambda pair: -int(pair[0].sum()))
        for covered, category in drawn:
            mask[covered] = self._ids[str(self._coco.cats[category]['name'])]
        return mask

    def _drawn(self, annotation: dict[str, Any]) -> np.ndarray:
        try:
            if not annotation.get('segmentation'):
                raise ValueError('no segmentation; a box alone is no mask')
            parts = annotation['segmentation']
            if isinstance(parts, list) and min(map(len, parts)) < 6:
                raise ValueError('a polygon needs 3 points, x and y of each')
            return self._coco.annToMask(annotation).astype(bool)
        except Exception as error:
            # The library raises whatever its C code does.
            raise ValueError(
                f'{self.path}: annotation {annotation.get("id")} cannot be '
                f'drawn: {error}'
            ) from error

    def ready(self, name: str) -> Optional[Path]:
        """None: every mask is drawn."""
        return None


def _name(image: dict[str, Any]) -> str:
    """Name of an image, with forward slashes and without suffix."""
    path = PurePosixPath(image['file_name'].replace('\\', '/'))
    return str(path.with_suffix(''))


def _load(path: Path) -> Any:
    """An index of the file by pycocotools."""
    try:
        from pycocotools.coco import COCO
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{path} needs pycocotools: pip install pycocotools'
        ) from error
    needed = dict(
        images=('id', 'file_name', 'height', 'width'),
        annotations=('image_id', 'category_id'),
        categories=('id', 'name'),
    )
    try:
        data = json.loads(path.read_text('utf-8'))
        for part, keys in needed.items():
            for entry in data[part]:
                for key in keys:
                    entry[key]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path} is not a file of COCO ({type(error).__name__}: {error}); '
            f'it needs {needed}'
        ) from error
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))
