"""Features of other packages that tests need and old releases lack."""

import importlib.metadata
import importlib.util

import pytest
import torch
from mmseg.models.data_preprocessor import SegDataPreProcessor

from rml_mmseg.compat import SAFE_LOADING


def _is_fork():
    try:
        importlib.metadata.version('onedl-mmsegmentation')
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _normalises_two_channels():
    try:
        SegDataPreProcessor(mean=[0.0] * 2, std=[1.0] * 2)
    except AssertionError:
        return False
    return True


ON_FORK = _is_fork()
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
needs_many_channels = pytest.mark.skipif(
    not _normalises_two_channels(),
    reason='the forks normalise images of one channel or three',
)
