"""Masks as image files."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Optional

import numpy as np
from PIL import Image

from ..colour_table import ColourTable
from ..folder_files import IMAGE_SUFFIXES, folder_files
from ..mask_decoding import read_mask
from .annotations import IGNORED, Annotations
from .folder_item import files_by_name

MASK_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff', '.gif')
# Image formats that cannot be masks, mostly because they change ids.
OTHER_SUFFIXES = tuple(s for s in IMAGE_SUFFIXES if s not in MASK_SUFFIXES)


class MaskFolder(Annotations):
    """A folder of masks named like their images.

    Args:
        folder (Path): Folder of the masks, with the same sub-folders as the
            images.
        names (Collection[str]): Names of all images.
        ending (str): Ending that a mask's name has after the image's, such
            as '_mask' for a.jpg and a_mask.png. Defaults to ''.
        table (ColourTable, optional): Classes of the colours in the masks.
        ignore_index (int): Id of ignored pixels in the masks; 255 is always
            ignored, too. 0 moves the other ids down by one, like mmseg's
            ``reduce_zero_label``. Defaults to 255.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If no image has a mask, two masks differ only in their
            suffix, or the ids of the colour table have gaps.
    """

    def __init__(
        self,
        folder: Path,
        names: Collection[str],
        ending: str = '',
        table: Optional[ColourTable] = None,
        ignore_index: int = IGNORED,
    ) -> None:
        self.table = table
        self.ignore_index = ignore_index
        found, others = (
            {
                name[: len(name) - len(ending)]: path
                for name, path in files_by_name(folder, suffixes).items()
                if name.endswith(ending)
            }
            for suffixes in (MASK_SUFFIXES, OTHER_SUFFIXES)
        )
        self.sources: dict[str, Path] = {
            n: path for n, path in found.items() if n in names
        }
        self.orphans = [str(p) for n, p in found.items() if n not in names]
        if not self.sources:
            count = len(folder_files(folder))
            raise ValueError(
                f'{folder}: no image has a mask with its name'
                f'{f" and {ending!r}" if ending else ""}, such as '
                f'{min(names)}{ending}.png; {len(found)} of the {count} files '
                f'could be masks ({", ".join(MASK_SUFFIXES)}; '
                'not JPEG, which changes ids). '
                f'{_elsewhere(folder, names, found, ending)}'
            )
        # They are kept where an image has no other mask, so that reading them
        # tells the user what is wrong.
        self.sources.update(
            (n, path)
            for n, path in others.items()
            if n in names and n not in found
        )
        if table is not None:
            self.classes = table.class_names(ignore_index)
            self.palette = table.palette(ignore_index)
        else:
            self.palette = self._stored_palette()

    def _stored_palette(self) -> Optional[list[list[int]]]:
        """Colours of the first mask, if it is a palette image."""
        for path in self.sources.values():
            try:
                with Image.open(path) as file:
                    stored = file.getpalette() if file.mode == 'P' else None
            except OSError:
                # The error is reported when the mask is read in full.
                continue
            if stored is None:
                return None
            rows = np.array(stored).reshape(-1, 3).tolist()
            return rows[1:] if self.ignore_index == 0 else rows
        return None

    def read(self, name: str) -> np.ndarray:
        """Read class ids, uint8 (H, W), with 255 for ignored pixels.

        Raises:
            ValueError: If the mask is invalid; names the file.
        """
        path = self.sources[name]
        if path.suffix.lower() not in MASK_SUFFIXES:
            raise ValueError(
                f'{path} cannot be a mask: masks must be '
                f'{", ".join(MASK_SUFFIXES)}, as JPEG changes ids. Export '
                'it again as PNG'
            )
        mask = read_mask(path, self.table)
        if self.ignore_index == 0:
            # 0 wraps around to 255; 255 itself must not become 254.
            return np.where(mask == IGNORED, mask, mask - np.uint8(1))
        return np.where(mask == self.ignore_index, np.uint8(IGNORED), mask)

    def ready(self, name: str) -> Optional[Path]:
        """The mask's file, if it needs no decoding."""
        if self.table is not None or self.ignore_index != IGNORED:
            return None
        path = self.sources[name]
        with Image.open(path) as file:
            return path if (file.format, file.mode) == ('PNG', 'L') else None


def _elsewhere(
    folder: Path, names: Collection[str], found: dict[str, Path], ending: str
) -> str:
    """Advice if no mask belongs to an image: sub-folders may differ."""
    by_last = {PurePosixPath(name).name: name for name in sorted(names)}
    for name, path in sorted(found.items()):
        image = by_last.get(PurePosixPath(name).name)
        if image is not None:
            place = folder / f'{image}{ending}{path.suffix}'
            return (
                'Masks must be in the same sub-folders as their images: '
                f'that of {image} is {path}, but should be {place}'
            )
    return 'Check --masks and --mask-ending'
