"""The files of a folder."""

from pathlib import Path
from typing import Union

from mmengine.fileio import list_dir_or_file


def folder_files(folder: Union[Path, str]) -> list[str]:
    """Files of a folder and its sub-folders.

    Links to folders are followed, as mmseg does. Hidden files and folders,
    whose names begin with a dot, do not count.

    Args:
        folder (Path | str): Where to look.

    Returns:
        list[str]: Paths relative to it, with forward slashes, in the order
        of paths, so that ``a/b`` comes before ``a-b``.
    """
    found = map(Path, list_dir_or_file(folder, list_dir=False, recursive=True))
    return [
        path.as_posix()
        for path in sorted(found)
        if not any(part.startswith('.') for part in path.parts)
    ]
