"""Whole images are read as a network is tested: whole, or in windows."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from rml_mmseg.models.utils.window_forward import whole_logits, window_starts
from tests.toys import toy_segmentor

SLIDE = dict(mode='slide', crop_size=(6, 8), stride=(4, 5))
WHOLE = dict(mode='whole')


def network(test_cfg, **backbone):
    torch.manual_seed(0)
    cfg = toy_segmentor(**backbone)
    return MODELS.build(dict(cfg, test_cfg=ConfigDict(test_cfg))).eval()


def images(height=13, width=18):
    torch.manual_seed(1)
    return torch.randn(1, 3, height, width)


def inside(x):
    return torch.ones(len(x), *x.shape[-2:], dtype=torch.bool)


@pytest.mark.parametrize(
    ('length', 'expected'),
    [(5, [0]), (6, [0]), (7, [0, 1]), (10, [0, 4]), (13, [0, 4, 7])],
)
def test_starts(length, expected):
    assert window_starts(length, 6, 4) == expected


@pytest.mark.parametrize('size', [(13, 18), (6, 8), (5, 30), (4, 4)])
def test_windows_are_those_of_a_test(size):
    net, x = network(SLIDE, kernel_size=3), images(*size)
    with torch.no_grad():
        found = whole_logits(net, x, inside(x))
        expected = net.slide_inference(x, [dict(img_shape=size)])
    torch.testing.assert_close(found, expected)


def test_logits_are_as_dense_as_those_of_a_window():
    net, x = network(SLIDE, stride=2), images(14, 18)
    with torch.no_grad():
        assert whole_logits(net, x, inside(x)).shape == (1, 3, 7, 9)


def test_whole():
    net, x = network(WHOLE, kernel_size=3), images()
    seen = []
    with torch.no_grad():
        found = whole_logits(
            net, x, inside(x), lambda *item: seen.append(item)
        )
        torch.testing.assert_close(found, net._forward(x))
    [(features, labels)] = seen
    assert features.shape == (1, 4, 13, 18)
    assert torch.equal(labels, found.argmax(1))


def test_features_of_every_window_are_visited():
    net, x = network(SLIDE), images(10, 13)
    valid = inside(x)
    valid[:, 8:] = False
    seen = []
    with torch.no_grad():
        whole_logits(net, x, valid, lambda *item: seen.append(item))
        # Pixels do not see each other.
        expected = net._forward(x).argmax(1)
    expected[:, 8:] = 255
    corners = [(0, 0), (0, 5), (4, 0), (4, 5)]
    assert len(seen) == len(corners)
    for (features, labels), (top, left) in zip(seen, corners):
        assert features.shape == (1, 4, 6, 8)
        part = expected[:, top : top + 6, left : left + 8]
        assert torch.equal(labels, part)
