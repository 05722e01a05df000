"""The kernel of a GPU, interpreted, against what it computes without it.

Triton interprets it on a CPU where a variable asks for it:
`TRITON_INTERPRET=1 python -m pytest
tests/test_models/test_utils/test_rectify_kernel.py`. Triton 3.6 does so with
numpy below 2.4.
"""

import importlib.util
import math
import os

import pytest
import torch

from rml_mmseg.models.utils.rectified_labels_gpu import labels_at_once

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture
def kernel():
    if importlib.util.find_spec('triton') is None:
        pytest.skip('needs triton, which comes with PyTorch for CUDA')
    if os.environ.get('TRITON_INTERPRET') != '1':
        pytest.skip('computes on a CPU with TRITON_INTERPRET=1 alone')
    from rml_mmseg.models.utils import rectify_kernel

    return rectify_kernel


def draw_case(n, k, size, below):
    draw = torch.Generator().manual_seed(0)
    probs = torch.randn(n, k, *size, generator=draw).softmax(1)
    return probs, torch.rand(n, k, *below, generator=draw)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize(
    ('n', 'k', 'size', 'below'),
    [
        (2, 3, (14, 18), (7, 9)),
        (1, 21, (13, 29), (5, 4)),
        (1, 4, (8, 8), (8, 8)),
        (2, 1, (5, 7), (1, 1)),
        (1, 5, (6, 6), (9, 11)),
        (1, 7, (40, 30), (3, 30)),
    ],
)
def test_labels(kernel, n, k, size, below, dtype):
    probs, weights = draw_case(n, k, size, below)
    probs = probs.to(dtype)
    expected = labels_at_once(probs, weights)
    for same in (
        probs,
        probs.contiguous(memory_format=torch.channels_last),
        probs.mT.contiguous().mT,
        probs.repeat_interleave(2, 3)[..., ::2],
    ):
        found = kernel.rectified_labels(same, weights)
        assert found.dtype == torch.int64
        assert torch.equal(found, expected)


def test_the_first_of_equals_and_what_is_not_a_number(kernel):
    probs, weights = draw_case(1, 6, (6, 6), (3, 3))
    probs[0, :, 0], weights[:, :, 0] = 0.5, 0.25
    probs[0, :, 2, 0] = 0
    probs[0, 2, 3, 0] = probs[0, 4, 3, 0] = math.nan
    labels = kernel.rectified_labels(probs, weights)
    assert (labels[0, 0] == 0).all()
    assert labels[0, 2, 0] == 0
    assert labels[0, 3, 0] == 2
    assert torch.equal(labels, labels_at_once(probs, weights))


def test_weights_of_any_type_and_layout(kernel):
    probs, weights = draw_case(2, 3, (6, 8), (3, 4))
    weights = weights.half().contiguous(memory_format=torch.channels_last)
    labels = kernel.rectified_labels(probs, weights)
    assert torch.equal(labels, labels_at_once(probs, weights))
