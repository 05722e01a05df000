"""What the tests need of the packages below, where old ones lack it."""

import importlib.util

import pytest
import torch

from rml_mmseg.compat import SAFE_LOADING

needs_safe_loading = pytest.mark.skipif(
    not SAFE_LOADING,
    reason='before PyTorch 2.6 a checkpoint is read whatever it holds',
)
needs_compile = pytest.mark.skipif(
    not hasattr(torch, 'compile'), reason='torch.compile needs PyTorch 2.0'
)
needs_flop_counter = pytest.mark.skipif(
    importlib.util.find_spec('torch.nn.attention') is None,
    reason='counting operations needs PyTorch 2.3',
)
