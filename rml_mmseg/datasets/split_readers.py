"""Readers that turn other projects' split files into plain mmseg names.

An mmseg list file holds one name per line, relative to the data prefix and
without the image suffix.
"""

import pickle
from pathlib import Path, PurePosixPath
from typing import Any, Optional, Union

import numpy as np

from rml_mmseg.datasets.folder_files import IMAGE_SUFFIXES, folder_files
from rml_mmseg.datasets.splits import check_names

#: Largest pickle that is read, in bytes: eight million 64-bit indices.
MAX_PICKLE_BYTES = 1 << 26


def _empty_array(subtype: type, shape: tuple[int, ...], _: Any) -> np.ndarray:
    """Empty array that numpy's pickles begin with and then fill."""
    if subtype is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError('not the start of a plain array')
    return np.ndarray((0,), 'b')


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Bytes as old pickle protocols encode them."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'encoding {encoding!r} is not allowed')
    return text.encode('latin1')


def _array_of_buffer(
    buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str
) -> np.ndarray:
    """Array as pickle protocol 5 encodes it; numpy refuses objects here."""
    return np.frombuffer(buffer, dtype).reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler that can make a numpy array and nothing else."""

    _allowed = {
        ('numpy', 'ndarray'): np.ndarray,
        ('numpy', 'dtype'): np.dtype,
        ('numpy.core.multiarray', '_reconstruct'): _empty_array,
        ('numpy._core.multiarray', '_reconstruct'): _empty_array,
        ('numpy.core.numeric', '_frombuffer'): _array_of_buffer,
        ('numpy._core.numeric', '_frombuffer'): _array_of_buffer,
        ('_codecs', 'encode'): _latin1_bytes,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it asks for {module}.{name}, which is not allowed'
            ) from None


def read_permutation(path: Union[Path, str]) -> np.ndarray:
    """Read a permutation from a pickled array, as CutMix-Seg's split_0.pkl.

    Anything else that the pickle may hold is refused, not executed.

    Raises:
        ValueError: If the file asks for anything but a numpy array, is
            larger than 64 MiB, damaged, or not a permutation of 0..n-1.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_PICKLE_BYTES:
        raise ValueError(
            f'{path} has {size} bytes, more than the {MAX_PICKLE_BYTES} '
            f'allowed for a permutation'
        )
    with path.open('rb') as file:
        try:
            array = _ArrayUnpickler(file, encoding='latin1').load()
        except Exception as error:
            raise ValueError(
                f'{path} is refused: it must be the pickle of one integer '
                f'numpy array ({error})'
            ) from error
    if not (
        isinstance(array, np.ndarray)
        and array.ndim == 1
        and array.dtype.kind in 'iu'
    ):
        raise ValueError(f'{path} must hold a 1-D integer array')
    if not np.array_equal(np.sort(array), np.arange(array.size)):
        raise ValueError(
            f'{path} must hold a permutation of 0..{array.size - 1}'
        )
    return array


def image_column(line: str, source: str) -> str:
    """Image entry of one line of a split file.

    Known formats are ``id`` (DMT; CPS on VOC), ``image label`` (UniMatch and
    ST++) and ``/image<TAB>/label`` (CPS on Cityscapes, whose leading slash
    stands for the data root). A name without suffix may contain blanks.

    Raises:
        ValueError: If a line has more than two columns, or it is not clear
            where a label begins.
    """
    if '\t' in line:
        columns = line.split('\t')
        if len(columns) > 2:
            raise ValueError(
                f'{source}: {line!r} has {len(columns)} columns; it must be '
                f"'image' or 'image label'"
            )
        return columns[0].strip().removeprefix('/')
    words = line.split()
    files = [_has_suffix(word) for word in words]
    folders = ['/' in word for word in words]
    if len(words) == 2 and files[0] and (files[1] or folders[1]):
        return words[0]
    if len(words) > 1 and (any(files) or all(folders)):
        raise ValueError(
            f'{source}: {line!r} may be a name with spaces, or an image and '
            'its label: remove suffixes, or separate the two by a tab'
        )
    return line.strip()


def _has_suffix(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def to_stem(
    image: str, prefix: str, suffix: Optional[str], source: str
) -> str:
    """Name relative to the data prefix, without its suffix.

    Args:
        image (str): Path of an image as listed.
        prefix (str): Leading folders to remove, such as ``JPEGImages``.
        suffix (str | None): Suffix to remove, or None for the file
            extension of a known image type.
        source (str): Where the entry comes from, for error messages.

    Raises:
        ValueError: If an entry lacks the prefix, or has a suffix other than
            the one given.
    """
    if prefix:
        folder = prefix.rstrip('/') + '/'
        if not image.startswith(folder):
            raise ValueError(
                f'{source}: {image!r} does not begin with the image prefix '
                f'{folder!r}'
            )
        image = image[len(folder) :]
    if suffix is None:
        return image[: image.rindex('.')] if _has_suffix(image) else image
    if _has_suffix(image) and not image.endswith(suffix):
        raise ValueError(
            f'{source}: {image!r} does not end with the image suffix '
            f'{suffix!r}'
        )
    return image.removesuffix(suffix)


def read_names(
    path: Union[Path, str], prefix: str = '', suffix: Optional[str] = None
) -> list[str]:
    """Read the names in a split file of DMT, CPS, UniMatch, ST++ or mmseg.

    Args:
        path (Path | str): Text file with one entry per line.
        prefix (str): Leading folders to remove. Default: ``''``.
        suffix (str | None): Image suffix to remove. Default: None, the
            file extension.

    Raises:
        ValueError: As :func:`image_column`, :func:`to_stem` and
            :func:`~rml_mmseg.datasets.splits.check_names` raise it.
    """
    path = Path(path)
    names = []
    text = path.read_text(encoding='utf-8-sig')
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            source = f'{path}, line {number}'
            image = image_column(line.rstrip(), source)
            names.append(to_stem(image, prefix, suffix, source))
    return check_names(names, str(path))


def find_names(
    folder: Union[Path, str], suffix: Optional[str] = None
) -> list[str]:
    """Names of the images below a folder, sorted.

    Args:
        folder (Path | str): The image folder, searched recursively.
        suffix (str | None): Image suffix. Default: None, the only image
            file extension that occurs.

    Raises:
        FileNotFoundError: If the folder is missing or holds no image.
        ValueError: If image types are mixed and no suffix is given.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f'image folder {folder} does not exist')
    files = folder_files(folder)
    if suffix is None:
        found = {Path(path).suffix for path in files}
        types = sorted(t for t in found if t.lower() in IMAGE_SUFFIXES)
        if len(types) > 1:
            raise ValueError(
                f'{folder} holds images of the types {", ".join(types)}. '
                f'Choose one by the image suffix'
            )
        suffix = types[0] if types else '.jpg'
    names = [path for path in files if path.endswith(suffix)]
    if not names:
        raise FileNotFoundError(f'no image *{suffix} in {folder}')
    return sorted(name.removesuffix(suffix) for name in names)
