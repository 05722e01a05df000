"""Reader of MNIST's idx files, for the experiment of the paper's Figure 2."""

import gzip
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np
import torch
from torch import Tensor


class Mnist(NamedTuple):
    """Images (N, D), uint8, and labels (N,), int64, of the two parts."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def read_idx(path: Union[Path, str]) -> Tensor:
    """Read a tensor of unsigned bytes from an idx file, gzipped or not.

    Args:
        path (Path | str): The file; gzipped where it ends with ``.gz``.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not a gzip or idx file of unsigned bytes, or its
            length does not match its shape.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist. The folder must hold the four gzipped '
            f'idx files of MNIST'
        )
    content = path.read_bytes()
    if path.suffix == '.gz':
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise ValueError(f'{path} is not a complete gzip file') from error
    if len(content) < 4 or content[:3] != b'\0\0\x08':
        raise ValueError(
            f'{path} must begin with the idx magic 00 00 08 (unsigned '
            f'bytes), got {content[:3].hex(" ") or "nothing"}'
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f'{path} ends within its header')
    shape = np.frombuffer(content[4:start], '>u4').tolist()
    size = int(np.prod(shape, dtype=np.int64))
    if len(content) - start != size:
        raise ValueError(
            f'{path} must hold {size} bytes for its shape {tuple(shape)}, '
            f'got {len(content) - start}'
        )
    values = np.frombuffer(content, np.uint8, offset=start)
    return torch.from_numpy(values.reshape(shape).copy())


def read_mnist(folder: Union[Path, str]) -> Mnist:
    """Read all of MNIST from a folder of its four files, images flattened.

    Raises:
        FileNotFoundError, ValueError: As :func:`read_idx` raises them, or if
            images and labels differ in number.
    """
    parts = []
    for part in ('train', 't10k'):
        images = read_idx(Path(folder) / f'{part}-images-idx3-ubyte.gz')
        labels = read_idx(Path(folder) / f'{part}-labels-idx1-ubyte.gz')
        if len(images) != len(labels):
            raise ValueError(
                f'{folder}: {part} has {len(images)} images and '
                f'{len(labels)} labels'
            )
        parts += [images.flatten(1), labels.long()]
    return Mnist(*parts)
