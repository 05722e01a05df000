"""Annotations of LabelMe."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .annotations import Annotations
from .folder_item import files_by_name
from .polygons import polygon_classes, shape_mask, unused


class LabelMeFolder(Annotations):
    """A folder of LabelMe's JSON files, named like their images.

    A later shape in a file covers an earlier one, as in LabelMe itself. An
    image whose file has no shapes counts as not annotated.

    Args:
        folder (Path): Folder of the JSON files, with the same sub-folders as
            the images; may be the folder of the images.
        names (Collection[str]): Names of all images.
        classes (Sequence[str], optional): Class names in order. Defaults to
            the labels found, sorted.
        background (bool): Whether pixels that no shape covers are a class
            of their own; otherwise they are ignored. Defaults to True.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If a file is not one of LabelMe's, or a label is unknown.
    """

    def __init__(
        self,
        folder: Path,
        names: Collection[str],
        classes: Optional[Sequence[str]] = None,
        background: bool = True,
    ) -> None:
        found = files_by_name(folder, ('.json',))
        self.orphans = [str(found[name]) for name in unused(found, names)]
        self.sources: dict[str, Path] = {}
        labels: dict[str, str] = {}
        for name, path in found.items():
            if name not in names:
                continue
            shapes = _load(path)['shapes']
            if not shapes:
                self.orphans.append(f'{path} (has no shapes)')
                continue
            self.sources[name] = path
            for shape in shapes:
                labels.setdefault(str(shape['label']), str(path))
        self.classes, self._ids = polygon_classes(
            dict(sorted(labels.items())), classes, background
        )

    def read(self, name: str) -> np.ndarray:
        """Read class ids, uint8 (H, W), with 255 for ignored pixels.

        Raises:
            ValueError: If a shape is invalid; names the file and the shape.
        """
        path = self.sources[name]
        data = _load(path)
        size = (int(data['imageHeight']), int(data['imageWidth']))
        mask = np.full(size, self._ids['background'], np.uint8)
        for number, shape in enumerate(data['shapes'], start=1):
            try:
                covered = shape_mask(shape, size)
            except ValueError as error:
                raise ValueError(
                    f'{path}: shape {number} ({shape["label"]!r}): {error}'
                ) from error
            mask[covered] = self._ids[str(shape['label'])]
        return mask


def _load(path: Path) -> dict[str, Any]:
    """Read a LabelMe file.

    Raises:
        ValueError: If it is not a LabelMe file.
    """
    try:
        data = json.loads(path.read_text('utf-8-sig'))
        for side in ('imageHeight', 'imageWidth'):
            if int(data[side]) < 1:
                raise ValueError(f'{side} is {data[side]}')
        for shape in data['shapes']:
            if shape['label'] in (None, ''):
                raise ValueError(f'a label is {shape["label"]!r}')
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path} is not a LabelMe file ({type(error).__name__}: '
            f'{error}); it needs imageHeight, imageWidth and shapes, each '
            'with a label. Move other JSON files elsewhere'
        ) from error
    return data
