"""Down-sampling of label maps."""

import numpy as np


def majority_downsample(
    label: np.ndarray, factor: int, ignore_index: int = 255
) -> np.ndarray:
    """Down-sample class ids by majority vote.

    Each block of ``factor`` x ``factor`` pixels becomes one pixel with the
    id that most of its labelled pixels have. Ignored pixels do not vote, so
    a block is ignored only if all its pixels are. In a tie the id that comes
    first in the block's reading order, row by row, wins, which favours no
    class over another.

    Args:
        label (np.ndarray): Class ids of an integer type, (H, W). Both sides
            must be multiples of ``factor``.
        factor (int): Side of a block in pixels, at least 1.
        ignore_index (int): Id of ignored pixels. Defaults to 255.

    Returns:
        np.ndarray: Ids (H / factor, W / factor) of the same type.

    Raises:
        ValueError: If ``label`` is not a two-dimensional array of integers,
            ``factor`` is below 1 or a side is not a multiple of it.
    """
    if label.ndim != 2 or not np.issubdtype(label.dtype, np.integer):
        raise ValueError(
            'label must be a two-dimensional array of integers, but has '
            f'shape {label.shape} and type {label.dtype}'
        )
    if factor < 1:
        raise ValueError(f'factor must be at least 1, but is {factor}')
    height, width = label.shape
    if height % factor or width % factor:
        raise ValueError(
            f'both sides of the label map must be multiples of factor='
            f'{factor}, but are {height} and {width}'
        )
    blocks = (
        label.reshape(height // factor, factor, width // factor, factor)
        .transpose(0, 2, 1, 3)
        .reshape(height // factor, width // factor, factor * factor)
    )
    # For each pixel of a block, count the pixels that share its id: one pass
    # per pixel needs far less memory than one plane per class.
    winner = np.full(blocks.shape[:2], ignore_index, dtype=label.dtype)
    most = np.zeros(blocks.shape[:2], dtype=np.int64)
    for index in range(factor * factor):
        candidate = blocks[..., index]
        votes = (blocks == candidate[..., None]).sum(axis=-1)
        votes[candidate == ignore_index] = 0
        better = votes > most
        winner[better] = candidate[better]
        most[better] = votes[better]
    return winner
