"""Forward passes over whole images, in windows where networks need them."""

from typing import Any, Callable, Optional

import torch
from torch import Tensor

from .segmentor_forward import feature_labels, logits_of, resize_logits

#: Takes features (N, C, h, w) and their labels (N, h, w).
Visit = Callable[[Tensor, Tensor], None]


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Starts of windows along one side, as in mmseg's slide inference.

    Args:
        length (int): Length of the image, pixels.
        window (int): Length of a window, pixels.
        stride (int): Step from one window to the next, pixels.
    """
    count = max(length - window + stride - 1, 0) // stride + 1
    last = max(length - window, 0)
    return [min(i * stride, last) for i in range(count)]


def whole_logits(
    segmentor: Any,
    images: Tensor,
    valid: Tensor,
    visit: Optional[Visit] = None,
) -> Tensor:
    """Logits of whole images, at the density of the network's own.

    A segmentor with ``test_cfg.mode='slide'`` reads them in its test
    windows, as it may not support any other size; overlapping windows are
    averaged.

    Args:
        segmentor (EncoderDecoder): A stock segmentor.
        images (Tensor): (N, 3, H, W).
        valid (Tensor): (N, H, W) bool, False on padding.
        visit (Callable, optional): Called with the features of each window,
            the input of the classifier, and their predicted classes
            (``ignore_index`` on padding).

    Returns:
        Tensor: Unscaled logits (N, K, h, w).
    """
    size = images.shape[-2:]
    boxes = _boxes(size, segmentor.test_cfg)

    def read(row: slice, column: slice) -> Tensor:
        part = images[..., row, column]
        logits, features = logits_of(segmentor, part, visit is not None)
        if visit is not None and features is not None:
            inside = valid[..., row, column]
            visit(features, feature_labels(logits, features, inside))
        return logits

    if len(boxes) == 1:
        return read(*boxes[0])
    total = images.new_zeros(len(images), segmentor.out_channels, *size)
    count = images.new_zeros(size)
    for row, column in boxes:
        logits = read(row, column)
        window = count[row, column].shape
        total[..., row, column] += resize_logits(segmentor, logits, window)
        count[row, column] += 1
    dense = [
        max(round(length * cells / side), 1)
        for length, cells, side in zip(size, logits.shape[-2:], window)
    ]
    return resize_logits(segmentor, total / count, torch.Size(dense))


def _boxes(size: torch.Size, test_cfg: Any) -> list[tuple[slice, slice]]:
    """Rows and columns of every window, or of the whole image."""
    window, stride = tuple(size), tuple(size)
    if test_cfg.get('mode') == 'slide':
        window, stride = test_cfg['crop_size'], test_cfg['stride']
    rows, columns = (
        [
            slice(start, min(start + side, length))
            for start in window_starts(length, side, step)
        ]
        for length, side, step in zip(size, window, stride)
    )
    return [(row, column) for row in rows for column in columns]
