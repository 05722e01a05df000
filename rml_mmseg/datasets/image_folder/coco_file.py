"""Annotations of COCO."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Optional

import numpy as np

from .annotations import Annotations
from .polygons import polygon_classes, unused


class CocoFile(Annotations):
    """One JSON file of polygons or run lengths for all images.

    A small object covers a large one where they overlap. An image without
    objects counts as not annotated. pycocotools draws the objects.

    Args:
        path (Path): File with ``images``, ``annotations`` and
            ``categories``.
        names (Collection[str]): Names of all images; ``file_name`` in the
            file must equal them, apart from the suffix.
        classes (Sequence[str], optional): Class names in order. Defaults to
            the categories that occur, sorted by id.
        background (bool): Whether pixels that no object covers are a class
            of their own; otherwise they are ignored. Defaults to True.

    Raises:
        ModuleNotFoundError: If pycocotools is not installed.
        ValueError: If the file is not in COCO's format, two images share an
            id, an annotation has an unknown image or category, or no
            annotated image is among ``names``.
    """

    def __init__(
        self,
        path: Path,
        names: Collection[str],
        classes: Optional[Sequence[str]] = None,
        background: bool = True,
    ) -> None:
        self.path = path
        data = _load(path)
        self._sizes: dict[Any, tuple[int, int]] = {}
        self._annotations: dict[Any, list[dict]] = defaultdict(list)
        for annotation in data['annotations']:
            self._annotations[annotation['image_id']].append(annotation)
        # Files that were merged may list an image several times.
        images: dict[str, list[Any]] = {}
        for image in data['images']:
            number = image['id']
            if number in self._sizes:
                raise ValueError(
                    f'{path}: several images have the id {number!r}, so '
                    'annotations cannot be assigned. If files were merged, '
                    'give each image a unique id'
                )
            self._sizes[number] = (image['height'], image['width'])
            if number in self._annotations:
                images.setdefault(_name(image), []).append(number)
        _check_known(path, 'image', self._annotations, self._sizes)
        self.sources = {n: i for n, i in images.items() if n in names}
        if not self.sources:
            raise ValueError(
                f'{path}: no annotated image is in the image folder: '
                f'file_name is {next(iter(images), None)!r}, but the folder '
                f'has {min(names)!r}. Give the folder that file_name is '
                'relative to'
            )
        self.orphans = [f'{path}: {name}' for name in unused(images, names)]
        used = {a['category_id'] for a in data['annotations']}
        self._categories = {
            c['id']: str(c['name']) for c in data['categories']
        }
        _check_known(path, 'category', used, self._categories)
        labels = {self._categories[n]: str(path) for n in sorted(used)}
        self.classes, self._ids = polygon_classes(labels, classes, background)

    def describe(self, name: str) -> str:
        """Describe the file and the image in it."""
        return f'{self.path} ({name})'

    def read(self, name: str) -> np.ndarray:
        """Read class ids, uint8 (H, W), with 255 for ignored pixels.

        Raises:
            ValueError: If an annotation is invalid; names the file and the
                annotation.
        """
        numbers = self.sources[name]
        size, *others = {self._sizes[number] for number in numbers}
        if others:
            raise ValueError(
                f'{self.path}: the images {numbers} are all {name!r}, but '
                'have different sizes'
            )
        mask = np.full(size, self._ids['background'], np.uint8)
        drawn = [
            (self._drawn(annotation, size), annotation['category_id'])
            for number in numbers
            for annotation in self._annotations[number]
        ]
        drawn.sort(key=lambda pair: -int(pair[0].sum()))
        for covered, category in drawn:
            mask[covered] = self._ids[self._categories[category]]
        return mask

    def _drawn(
        self, annotation: dict[str, Any], size: tuple[int, int]
    ) -> np.ndarray:
        try:
            return _pixels(annotation.get('segmentation'), size)
        except Exception as error:
            # pycocotools may raise anything that its C code does.
            raise ValueError(
                f'{self.path}: annotation {annotation["id"]} cannot be '
                f'drawn: {error}'
            ) from error


def _name(image: dict[str, Any]) -> str:
    """Name of an image with forward slashes and without suffix."""
    path = PurePosixPath(image['file_name'].replace('\\', '/'))
    return str(path.with_suffix(''))


def _check_known(
    path: Path, kind: str, used: Iterable[Any], known: Collection[Any]
) -> None:
    """Refuse annotations with ids that the file does not list."""
    for number in used:
        if number not in known:
            raise ValueError(
                f'{path}: annotations have the {kind}_id {number!r}, but no '
                f'{kind} has this id. Add it, or remove the annotations'
            )


def _pixels(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """Draw polygons or run lengths as a mask, bool (H, W)."""
    from pycocotools import mask

    if not segmentation:
        raise ValueError('it has no segmentation; a box is not a mask')
    if isinstance(segmentation, list):
        lengths = [len(part) for part in segmentation]
        if min(lengths) < 6 or any(length % 2 for length in lengths):
            raise ValueError('a polygon needs 3 or more points, each x and y')
        runs = mask.merge(mask.frPyObjects(segmentation, *size))
        return mask.decode(runs).astype(bool)
    if tuple(segmentation['size']) != size:
        raise ValueError(
            f'its size is {segmentation["size"]}, but its image is '
            f'{list(size)} (height, width)'
        )
    counts = segmentation['counts']
    if isinstance(counts, list):
        if sum(counts) != size[0] * size[1]:
            raise ValueError(
                f'its counts sum to {sum(counts)}, but its image has '
                f'{size[0] * size[1]} pixels'
            )
        segmentation = mask.frPyObjects(segmentation, *size)
    return mask.decode(segmentation).astype(bool)


def _load(path: Path) -> dict[str, Any]:
    """Read a COCO file and give each annotation an ``id``."""
    if find_spec('pycocotools') is None:
        raise ModuleNotFoundError(
            f'{path} needs pycocotools: pip install pycocotools'
        )
    needed = dict(
        images=('id', 'file_name', 'height', 'width'),
        annotations=('image_id', 'category_id'),
        categories=('id', 'name'),
    )
    try:
        data = json.loads(path.read_text('utf-8-sig'))
        for part, keys in needed.items():
            for number, entry in enumerate(data[part], start=1):
                for key in keys:
                    hash(entry[key])
                entry.setdefault('id', number)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path} is not a COCO file ({type(error).__name__}: {error}); '
            f'it needs {needed}'
        ) from error
    return data
