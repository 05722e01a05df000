"""The kernel of a GPU, computed on a CPU.

Triton asks for it by a variable: `TRITON_INTERPRET=1 python -m pytest
tests/test_models/test_utils`. Triton 3.6 does so with numpy below 2.4.
"""

import importlib.util
import os

import pytest


def interpreted_kernel():
    """Module of the kernel; skips where it cannot be interpreted."""
    if importlib.util.find_spec('triton') is None:
        pytest.skip('needs triton, which comes with PyTorch for CUDA')
    if os.environ.get('TRITON_INTERPRET') != '1':
        pytest.skip('computes on a CPU with TRITON_INTERPRET=1 alone')
    from rml_mmseg.models.utils import rectify_kernel

    return rectify_kernel
