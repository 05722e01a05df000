"""The images of a folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..folder_files import IMAGE_SUFFIXES, folder_files

# One spelling for each format, so that a folder needs only one suffix.
_SPELLING = {'.jpeg': '.jpg', '.tiff': '.tif'}


class FolderItem(NamedTuple):
    """An image of a folder.

    Attributes:
        name (str): Path relative to the folder, with forward slashes and
            without suffix.
        image (Path): The file.
        annotated (bool): Whether it has a mask.
    """

    name: str
    image: Path
    annotated: bool


def files_by_name(
    folder: Path, suffixes: Sequence[str], apart: Sequence[Path] = ()
) -> dict[str, Path]:
    """Files of a folder and its sub-folders, by name without suffix.

    Args:
        folder (Path): Folder to search.
        suffixes (Sequence[str]): Suffixes to look for, in lower case.
        apart (Sequence[Path]): Sub-folders to leave out.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If two files differ only in their suffix.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder} is not a folder')
    root = folder.resolve()
    others = {place.resolve() for place in apart} - {root}
    files: dict[str, Path] = {}
    for relative in map(Path, folder_files(folder)):
        if relative.suffix.lower() not in suffixes:
            continue
        path = folder / relative
        real = path.parent.resolve()
        if others & {real, *real.parents, *(root / relative).parents}:
            continue
        name = relative.with_suffix('').as_posix()
        if name in files:
            raise ValueError(
                f'{files[name]} and {path} differ only in their suffix. '
                'Rename or remove one'
            )
        files[name] = path
    return files


def find_images(
    folder: Path, mask_ending: str = '', apart: Sequence[Path] = ()
) -> dict[str, Path]:
    """Images of a folder by name, sorted.

    Args:
        folder (Path): Folder of images, searched with its sub-folders.
        mask_ending (str): Ending of names that are masks beside their
            images. Defaults to '': all are images.
        apart (Sequence[Path]): Sub-folders to leave out, such as of masks.

    Raises:
        FileNotFoundError: If the folder is missing or holds no image.
        ValueError: If a list file cannot hold a name, or two files differ
            only in their suffix.
    """
    found = files_by_name(folder, IMAGE_SUFFIXES, apart)
    if mask_ending:
        found = {
            name: path
            for name, path in found.items()
            if not name.endswith(mask_ending)
        }
    if not found:
        raise FileNotFoundError(
            f'{folder} holds no image ({", ".join(IMAGE_SUFFIXES)})'
        )
    for name, path in found.items():
        if name != name.strip() or '\n' in name:
            raise ValueError(
                f'{path}: a list file cannot hold a name that begins or ends '
                'with a space or has a line break. Rename the image'
            )
        if name.lower().endswith(IMAGE_SUFFIXES):
            raise ValueError(
                f'{path} has two suffixes, so lists of names without suffix '
                'would mean another file. Rename the image'
            )
    return found


def common_suffix(images: Iterable[Path]) -> str:
    """The common suffix of all images, or '' if their suffixes differ.

    Args:
        images (Iterable[Path]): Files; upper case and the spellings .jpeg
            and .tiff make no difference.
    """
    suffixes = {path.suffix.lower() for path in images}
    suffixes = {_SPELLING.get(suffix, suffix) for suffix in suffixes}
    return suffixes.pop() if len(suffixes) == 1 else ''
