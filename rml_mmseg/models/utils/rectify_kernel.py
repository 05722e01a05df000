# mypy: disable-error-code="no-untyped-def"
"""Rectified hard pseudo labels on a GPU in one kernel, Eq. 6 of RML.

It reads each probability once; without it, five tensors of their size would
be written and read. Nothing waits for the device. ``kernel_on`` tells where
it can run; with ``TRITON_INTERPRET=1`` the same code runs on CPU tensors.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Pixels that one program labels.
PIXELS = 256


@triton.jit(
    do_not_specialize=[
        'num_classes', 'height', 'width', 'below_height', 'below_width',
    ]
)  # fmt: skip
def _rectify_kernel(
    probs, weights, labels,
    num_classes, height, width, below_height, below_width,
    scale_y, scale_x,
    stride_n, stride_k, stride_y, stride_x,
    BLOCK: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Label each pixel by the class of the largest weight * probability.

    Takes:
        probs: (N, K, H, W), of any strides.
        weights: (N, K, h, w), float32, contiguous.
        labels: (N, H, W), int64, contiguous, written.
        scale_y, scale_x: h / H and w / W.
        BLOCK, UNROLL: Pixels per program, classes per step.
    """
    item = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    pixels = height.to(tl.int64) * width
    inside = pixel < pixels
    y = pixel // width
    x = pixel - y * width
    # As F.interpolate without align_corners: half-pixel centres and
    # repeated edges.
    at_y = tl.maximum(scale_y * (y.to(tl.float32) + 0.5) - 0.5, 0.0)
    at_x = tl.maximum(scale_x * (x.to(tl.float32) + 0.5) - 0.5, 0.0)
    top = tl.minimum(at_y.to(tl.int32), below_height - 1)
    left = tl.minimum(at_x.to(tl.int32), below_width - 1)
    lower, right = at_y - top.to(tl.float32), at_x - left.to(tl.float32)
    upper, leftmost = 1.0 - lower, 1.0 - right
    bottom = tl.minimum(top + 1, below_height - 1)
    beside = tl.minimum(left + 1, below_width - 1)
    first = top.to(tl.int64) * below_width
    second = bottom.to(tl.int64) * below_width
    plane = below_height.to(tl.int64) * below_width
    weight = weights + item * num_classes * plane
    # 64 bits, as its product with the class may need them.
    stride = tl.full((), stride_k, tl.int64)
    prob = probs + item * stride_n + y * stride_y + x * stride_x
    best = tl.full((BLOCK,), float('-inf'), tl.float32)
    winner = tl.zeros((BLOCK,), tl.int32)
    for start in range(0, num_classes, UNROLL):
        for i in tl.static_range(UNROLL):
            k = start + i
            there = inside & (k < num_classes)
            base = weight + k * plane
            p = tl.load(prob + k * stride, mask=there, other=0.0)
            a = tl.load(base + first + left, mask=there, other=0.0)
            b = tl.load(base + first + beside, mask=there, other=0.0)
            c = tl.load(base + second + left, mask=there, other=0.0)
            d = tl.load(base + second + beside, mask=there, other=0.0)
            resized = upper * (leftmost * a + right * b) + lower * (
                leftmost * c + right * d
            )
            found = resized * p.to(tl.float32)
            # The first of equals wins. As in argmax, the first NaN beats
            # all numbers.
            better = (found > best) | ((found != found) & (best == best))
            better = better & there
            best = tl.where(better, found, best)
            winner = tl.where(better, k, winner)
    place = labels + item * pixels + pixel
    tl.store(place, winner.to(tl.int64), mask=inside)


def rectified_labels(probs: Tensor, weights: Tensor) -> Tensor:
    """Compute the labels of Eq. 6.

    Args:
        probs (Tensor): (N, K, H, W).
        weights (Tensor): (N, K, h, w), resized bilinearly to (H, W).

    Returns:
        Tensor: Class ids (N, H, W), int64.
    """
    n, k, height, width = probs.shape
    below = weights.float().contiguous()
    h, w = below.shape[-2:]
    labels = torch.empty(
        n, height, width, dtype=torch.int64, device=probs.device
    )
    grid = (triton.cdiv(height * width, PIXELS), n)
    with torch.cuda.device_of(probs):
        _rectify_kernel[grid](
            probs, below, labels, k, height, width, h, w,
            h / height, w / width, *probs.stride(),
            BLOCK=PIXELS, UNROLL=4,
        )  # fmt: skip
    return labels
