# mypy: disable-error-code="no-untyped-def"
"""What a GPU computes in one step each instead of many, Eq. 6, 9 and 10.

Nothing waits for the device. ``fused`` says where this module is of use; with
``TRITON_INTERPRET=1`` the same code runs on tensors of a CPU.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Pixels whose labels a program finds.
PIXELS = 256
# Channels, positions and at most so many classes of a matrix product.
CHANNELS, POSITIONS, CLASSES = 64, 64, 64
# Positions that a program adds up. More are more sums that wait for another.
RUN = 1024
# Summands of 8 bits that hold all bits of a number.
PARTS = {torch.bfloat16: 1, torch.float16: 2, torch.float32: 3}


def _ceil(size: int, step: int) -> int:
    """Number of steps that cover a size."""
    return -(-size // step)


def _class_block(num_classes: int) -> int:
    """Classes of a matrix product: a power of 2, of which it needs 16."""
    block = 16
    while block < min(num_classes, CLASSES):
        block *= 2
    return block


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
    """The class of the largest weight times probability of each pixel.

    Takes:
        probs: (N, K, H, W), of any strides.
        weights: (N, K, h, w), float32, contiguous.
        labels: (N, H, W), int64, contiguous, written.
        scale_y, scale_x: h / H and w / W.
        BLOCK, UNROLL: Pixels of a program, classes of a step.
    """
    item = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    pixels = height.to(tl.int64) * width
    inside = pixel < pixels
    y = pixel // width
    x = pixel - y * width
    # As F.interpolate without align_corners: half-pixel centres, and
    # edges that are repeated.
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
    # Classes times it may be more than 32 bits.
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
            # The first of equals stays. As in argmax, the first that is
            # not a number is above all numbers.
            better = (found > best) | ((found != found) & (best == best))
            better = better & there
            best = tl.where(better, found, best)
            winner = tl.where(better, k, winner)
    place = labels + item * pixels + pixel
    tl.store(place, winner.to(tl.int64), mask=inside)


def rectified_labels(probs: Tensor, weights: Tensor) -> Tensor:
    """Labels of Eq. 6.

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
    grid = (_ceil(height * width, PIXELS), n)
    with torch.cuda.device_of(probs):
        _rectify_kernel[grid](
            probs, below, labels, k, height, width, h, w,
            h / height, w / width, *probs.stride(),
            BLOCK=PIXELS, UNROLL=4,
        )  # fmt: skip
    return labels


def _unit_type(tensor: Tensor) -> tl.dtype:
    """What products are of; the interpreter multiplies no bfloat16."""
    return tl.bfloat16 if tensor.is_cuda else tl.float32


@triton.jit
def _product(a, b, A: tl.constexpr, B: tl.constexpr, TYPE: tl.constexpr):
    """Matrix product of float32 by summands of 8 bits, as exact as float32.

    Matrix units take no float32. Products of summands that are together
    below float32's own rounding are left out; the smallest come first.

    Takes:
        a, b: (M, K) and (K, N).
        A, B: How many summands hold all bits of each, 1 to 3.
        TYPE: What the summands are given to the units as.
    """
    a0 = a.to(tl.bfloat16)
    b0 = b.to(tl.bfloat16)
    total = tl.zeros((a.shape[0], b.shape[1]), tl.float32)
    if A > 1:
        a_rest = a - a0.to(tl.float32)
        a1 = a_rest.to(tl.bfloat16)
    if B > 1:
        b_rest = b - b0.to(tl.float32)
        b1 = b_rest.to(tl.bfloat16)
    if A > 2:
        a2 = (a_rest - a1.to(tl.float32)).to(tl.bfloat16)
        total = tl.dot(a2.to(TYPE), b0.to(TYPE), total)
    if B > 2:
        b2 = (b_rest - b1.to(tl.float32)).to(tl.bfloat16)
        total = tl.dot(a0.to(TYPE), b2.to(TYPE), total)
    if (A > 1) and (B > 1):
        total = tl.dot(a1.to(TYPE), b1.to(TYPE), total)
    if A > 1:
        total = tl.dot(a1.to(TYPE), b0.to(TYPE), total)
    if B > 1:
        total = tl.dot(a0.to(TYPE), b1.to(TYPE), total)
    return tl.dot(a0.to(TYPE), b0.to(TYPE), total)


@triton.jit(
    do_not_specialize=[
        'num_classes', 'size', 'runs', 'ignore_index',
    ]
)  # fmt: skip
def _sums_kernel(
    features, labels, sums,
    channels, num_classes, size, runs, ignore_index,
    stride_n, stride_c, stride_p, label_n, label_p,
    RUN: tl.constexpr, P: tl.constexpr, C: tl.constexpr, K: tl.constexpr,
    PARTS: tl.constexpr, TYPE: tl.constexpr,
):  # fmt: skip
    """Feature sums and pixels of each class in a run of positions.

    Takes:
        features: (N, C, p), of any strides.
        labels: (N, p), of any strides.
        sums: (N * runs, K, C + 1), float32, contiguous, written; the last
            column are the pixels.
        size, runs: Positions of an item, and runs that cover them.
    """
    run = tl.program_id(2)
    item = (run // runs).to(tl.int64)
    start = (run % runs) * RUN
    k = tl.program_id(0) * K + tl.arange(0, K)
    c = tl.program_id(1) * C + tl.arange(0, C)
    known = c < channels
    feature = features + item * stride_n + c.to(tl.int64)[:, None] * stride_c
    label = labels + item * label_n
    total = tl.zeros((C, K), tl.float32)
    counts = tl.zeros((K,), tl.float32)
    for step in range(0, RUN, P):
        p = start + step + tl.arange(0, P)
        inside = p < size
        place = p.to(tl.int64)
        ids = tl.load(label + place * label_p, mask=inside, other=-1)
        f = tl.load(
            feature + place[None, :] * stride_p,
            mask=known[:, None] & inside[None, :],
            other=0.0,
        ).to(tl.float32)
        some = inside & (ids >= 0) & (ids < num_classes)
        some = some & (ids != ignore_index)
        # What belongs to no class may be anything, also not finite.
        f = tl.where(some[None, :], f, 0.0)
        member = (ids[:, None] == k[None, :]) & some[:, None]
        member = member.to(tl.float32)
        total += _product(f, member, PARTS, 1, TYPE)
        counts += tl.sum(member, 0)
    row = run.to(tl.int64) * num_classes + k
    base = sums + row * (channels + 1)
    real = k < num_classes
    tl.store(
        base[None, :] + c[:, None], total, mask=known[:, None] & real[None, :]
    )
    tl.store(base + channels, counts, mask=real & (tl.program_id(1) == 0))


def class_sums(
    features: Tensor, labels: Tensor, num_classes: int, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Sums of Eq. 10: of each run first, then of all in a fixed order.

    Args:
        features (Tensor): (N, C, h, w).
        labels (Tensor): Class ids, (N, h, w).
        num_classes (int): Number of classes K.
        ignore_index (int): Label that belongs to no class.

    Returns:
        tuple[Tensor, Tensor]: Sums (K, C) and pixel counts (K,), float32.
    """
    flat, ids = features.flatten(2), labels.flatten(1)
    n, c, size = flat.shape
    runs, block = _ceil(size, RUN), _class_block(num_classes)
    sums = flat.new_empty(n * runs, num_classes, c + 1, dtype=torch.float32)
    grid = (_ceil(num_classes, block), _ceil(c, CHANNELS), n * runs)
    with torch.cuda.device_of(flat):
        _sums_kernel[grid](
            flat, ids, sums, c, num_classes, size, runs, ignore_index,
            *flat.stride(), *ids.stride(),
            RUN=RUN, P=POSITIONS, C=CHANNELS, K=block,
            PARTS=PARTS[flat.dtype], TYPE=_unit_type(flat),
        )  # fmt: skip
    total = sums.sum(0)
    return total[:, :-1], total[:, -1]


@triton.jit(do_not_specialize=['num_classes', 'size'])
def _squares_kernel(
    features, prototypes, centre, squares,
    channels, num_classes, size,
    stride_n, stride_c, stride_p,
    P: tl.constexpr, C: tl.constexpr, K: tl.constexpr, TYPE: tl.constexpr,
):  # fmt: skip
    """Squared distances |f|^2 - 2 f.p + |p|^2 of what is centred.

    Takes:
        features: (N, C, p), of any strides.
        prototypes: (K, C), float32, contiguous.
        centre: (C,), float32, contiguous.
        squares: (N, K, p), float32, contiguous, written.
        size: Positions of an item.
    """
    k = tl.program_id(0) * K + tl.arange(0, K)
    p = tl.program_id(1) * P + tl.arange(0, P)
    item = tl.program_id(2).to(tl.int64)
    real, inside = k < num_classes, p < size
    feature = features + item * stride_n + p.to(tl.int64)[None, :] * stride_p
    prototype = prototypes + k.to(tl.int64)[:, None] * channels
    product = tl.zeros((K, P), tl.float32)
    f_norm = tl.zeros((P,), tl.float32)
    p_norm = tl.zeros((K,), tl.float32)
    for start in range(0, channels, C):
        c = start + tl.arange(0, C)
        known = c < channels
        middle = tl.load(centre + c, mask=known, other=0.0)
        f = tl.load(
            feature + c.to(tl.int64)[:, None] * stride_c,
            mask=known[:, None] & inside[None, :],
            other=0.0,
        ).to(tl.float32)
        f = f - middle[:, None]
        q = tl.load(
            prototype + c[None, :],
            mask=real[:, None] & known[None, :],
            other=0.0,
        )
        q = q - middle[None, :]
        f_norm += tl.sum(f * f, 0)
        p_norm += tl.sum(q * q, 1)
        product += _product(q, f, 3, 3, TYPE)
    square = f_norm[None, :] + (p_norm[:, None] - 2.0 * product)
    row = item * num_classes + k
    tl.store(
        squares + row[:, None] * size + p[None, :],
        square,
        mask=real[:, None] & inside[None, :],
    )


def squared_distances(
    features: Tensor, prototypes: Tensor, centre: Tensor
) -> Tensor:
    """Squared distances of features to prototypes.

    Args:
        features (Tensor): (N, C, h, w).
        prototypes (Tensor): (K, C), float32.
        centre (Tensor): What both are taken from, (1, C), float32.

    Returns:
        Tensor: (N, K, h * w), float32, which rounding may make negative.
    """
    flat, near = features.flatten(2), prototypes.contiguous()
    (n, c, size), k = flat.shape, len(near)
    squares = flat.new_empty(n, k, size, dtype=torch.float32)
    block = _class_block(k)
    grid = (_ceil(k, block), _ceil(size, POSITIONS), n)
    with torch.cuda.device_of(flat):
        _squares_kernel[grid](
            flat, near, centre.contiguous(), squares, c, k, size,
            *flat.stride(), P=POSITIONS, C=CHANNELS, K=block,
            TYPE=_unit_type(flat),
        )  # fmt: skip
    return squares
