"""Rectified hard pseudo labels on a GPU, Eq. 6 of RML."""

import functools
import importlib
import warnings
from types import ModuleType
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

KERNEL = 'rml_mmseg.models.utils.rectify_kernel'
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@functools.cache
def kernel_on(device: torch.device) -> Optional[ModuleType]:
    """Kernel module, or None if the device cannot run it."""
    if device.type != 'cuda':
        return None
    try:
        import triton  # noqa: F401
    except ImportError:
        return None
    try:
        kernel = importlib.import_module(KERNEL)
        kernel.rectified_labels(*torch.ones(2, 1, 1, 1, 1, device=device))
    # Triton may lack a compiler or be of a version without some feature. The
    # kernel is optional, so any failure is only a warning.
    except Exception as error:
        warnings.warn(
            f'rectifying on {device} without Triton, which is slower and '
            'takes more memory, because its kernel failed: '
            f'{type(error).__name__}: {error}',
            stacklevel=2,
        )
        return None
    return kernel


def labels_at_once(probs: Tensor, weights: Tensor) -> Tensor:
    """Labels (N, H, W) without a kernel: all products, then argmax.

    Args:
        probs (Tensor): (N, K, H, W).
        weights (Tensor): (N, K, h, w).
    """
    size = probs.shape[-2:]
    product = weights.float()
    if product.shape[-2:] != size:
        product = F.interpolate(product, size=size, mode='bilinear')
    elif product is weights:
        product = product.clone()
    return product.mul_(probs).argmax(1)


def labels_on_gpu(probs: Tensor, weights: Tensor) -> Tensor:
    """Labels (N, H, W), by the kernel if it can run.

    Args:
        probs (Tensor): (N, K, H, W).
        weights (Tensor): (N, K, h, w).
    """
    alike = probs.device == weights.device and probs.numel() > 0
    if alike and {probs.dtype, weights.dtype} <= {*DTYPES}:
        kernel = kernel_on(probs.device)
        if kernel is not None:
            return kernel.rectified_labels(probs, weights)
    return labels_at_once(probs, weights)
