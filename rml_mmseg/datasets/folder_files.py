"""The files of a folder."""

import os
from pathlib import Path
from typing import Union

IMAGE_SUFFIXES = (
    *('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'),
    *('.ppm', '.pgm', '.jp2'),
)


def folder_files(folder: Union[Path, str]) -> list[str]:
    """List the files of a folder and its sub-folders.

    Links to folders are followed, as mmseg does, unless they lead back to a
    folder above. Hidden files and folders, whose names begin with a dot, are
    left out.

    Args:
        folder (Path | str): Folder to search.

    Returns:
        list[str]: Paths relative to the folder, with forward slashes, sorted
        as paths, so that ``a/b`` comes before ``a-b``.
    """
    root = os.fspath(folder)
    # Real paths of each folder and of those on the way to it.
    way = {root: {os.path.realpath(root)}}
    found = []
    for base, folders, files in os.walk(root, followlinks=True):
        kept = []
        for name in folders:
            place = os.path.join(base, name)
            real = os.path.realpath(place)
            if not name.startswith('.') and real not in way[base]:
                way[place] = way[base] | {real}
                kept.append(name)
        folders[:] = kept
        paths = [Path(base, name) for name in files if name[0] != '.']
        found += [p.relative_to(root) for p in paths if p.is_file()]
    return [path.as_posix() for path in sorted(found)]
