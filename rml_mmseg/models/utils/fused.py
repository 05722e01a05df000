"""Where the kernels of ``triton_kernels`` are of use."""

import functools
import warnings
from types import ModuleType
from typing import Optional

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# Matrix products of bfloat16.
CAPABILITY = (8, 0)


def _try(kernels: ModuleType, device: torch.device) -> None:
    """Use every kernel once, as what is missing is missing then."""
    features = torch.ones(1, 1, 1, 1, device=device)
    labels = kernels.rectified_labels(features, features)
    kernels.class_sums(features, labels, 1, 255)
    kernels.squared_distances(features, features[0, 0], features[0, 0])


@functools.cache
def _kernels_on(device: torch.device) -> Optional[ModuleType]:
    """The kernels if they run on a GPU."""
    if torch.version.cuda is None:
        return None
    if torch.cuda.get_device_capability(device) < CAPABILITY:
        return None
    try:
        import triton  # noqa: F401
    except ImportError:
        return None
    try:
        from . import triton_kernels

        _try(triton_kernels, device)
    # Triton compiles with what it finds: a compiler may be missing, or the
    # version may be one that knows less. All of it can be done without.
    except Exception as error:
        warnings.warn(
            f'rectifying on {device} without Triton, which is slower, as '
            f'its kernels failed: {type(error).__name__}: {error}',
            stacklevel=2,
        )
        return None
    return triton_kernels


def fused_kernels(*tensors: Tensor) -> Optional[ModuleType]:
    """Kernels for tensors, or None where they are for others.

    They know no gradients.

    Args:
        *tensors (Tensor): What the kernels are to read.
    """
    device = tensors[0].device
    if device.type != 'cuda':
        return None
    for tensor in tensors:
        known = not tensor.is_floating_point() or tensor.dtype in DTYPES
        learnt = tensor.requires_grad and torch.is_grad_enabled()
        if learnt or not (known and tensor.numel()):
            return None
        if tensor.device != device:
            return None
    return _kernels_on(device)
