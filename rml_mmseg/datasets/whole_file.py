"""Files that are written completely or not at all."""

import os
import os.path as osp
import re
import shutil
from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

BACKEND = 'whole_file'
UNFINISHED = re.compile(r'.+\.[0-9a-f]{8}\.part')


def write_whole(path: str, content: bytes, durable: bool = True) -> None:
    """Write a file under a temporary name, then rename it in one step.

    Whatever ends the process on the way, the path holds the previous file or
    the new one, never a part of it. If several processes write the same file
    at once, the last one wins.

    Args:
        path (str): Path of the file; a previous file is replaced.
        content (bytes): Content of the file.
        durable (bool): Whether the same holds for a power loss, for which
            the process must wait for the disk. Defaults to True.

    Raises:
        OSError: If the file cannot be written, as on a full disk; names it
            and the space that is left.
    """
    folder = osp.dirname(path) or '.'
    os.makedirs(folder, exist_ok=True)
    try:
        _write_beside(path, content, durable)
    except OSError as error:
        free = shutil.disk_usage(folder).free
        raise OSError(
            error.errno,
            f'{path!r} of {len(content):,} bytes cannot be written: '
            f'{error.strerror}. The disk of {folder!r} has {free:,} bytes '
            'free. Earlier files are intact. Free space, or set another '
            'work_dir, and resume',
        ) from error
    if durable:
        _sync_folder(folder)


def _write_beside(path: str, content: bytes, durable: bool) -> None:
    # A random name: process ids are not unique across machines.
    beside = f'{path}.{os.urandom(4).hex()}.part'
    try:
        with open(beside, 'xb') as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        _remove(beside)
        raise


def remove_unfinished(folder: str) -> None:
    """Remove the temporary files that killed :func:`write_whole` calls left.

    Args:
        folder (str): Folder of the files, without its sub-folders; it may be
            missing. No process may be writing there.
    """
    if not osp.isdir(folder):
        return
    for name in os.listdir(folder):
        if UNFINISHED.fullmatch(name):
            _remove(osp.join(folder, name))


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        return


def _sync_folder(folder: str) -> None:
    """Make a new name survive a power loss, on systems that support it."""
    if os.name != 'posix':
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some network file systems do not sync folders.
        return
    finally:
        os.close(descriptor)


class WholeFileBackend(LocalBackend):
    """Local files, written by :func:`write_whole`."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write a file."""
        write_whole(str(filepath), obj)


register_backend(BACKEND, WholeFileBackend, force=True)
