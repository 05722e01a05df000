"""Images of more than eight bits, of which loading keeps eight."""

import cv2
import numpy as np
import pytest

from rml_mmseg.datasets.transforms.check_image import lost_bits

RAMP = np.arange(64 * 64).reshape(64, 64)


def told(path, values):
    cv2.imwrite(str(path), values)
    return lost_bits(str(path), cv2.imread(str(path), cv2.IMREAD_COLOR))


@pytest.mark.parametrize('low', [-1024, 0])
def test_signed_values(tmp_path, low):
    text = told(tmp_path / 'ct.tif', (RAMP + low).astype(np.int16))
    assert f'values from {low} to {low + 4095} (int16), which loading' in text
    assert f'such as {low + 20.475:.6g} to {low + 4074.525:.6g}' in text


def test_float_values(tmp_path):
    values = RAMP.astype(np.float32) / 4096
    values[0, :2] = np.nan, np.inf
    text = told(tmp_path / 'sar.tif', values)
    assert 'to 0.999756 (float32), which cannot be loaded' in text
    values[:] = np.nan
    assert 'no finite value' in told(tmp_path / 'sar.tif', values)


@pytest.mark.parametrize('top', [4095, 10000])
@pytest.mark.parametrize('hot', [False, True])
def test_values_far_below_the_largest(tmp_path, top, hot):
    values = (RAMP * (top / 4095)).astype(np.uint16)
    values[0, 0] = 65535 if hot else 0
    text = told(tmp_path / 'dark.png', values)
    assert f'(uint16), {np.unique(values).size} in all, which load' in text


def test_images_of_which_enough_is_left(tmp_path):
    whole = (RAMP * 16).astype(np.uint16)
    assert told(tmp_path / 'whole.png', whole) is None
    # A bright tile of little contrast.
    tile = (30000 + RAMP * 3).astype(np.uint16)
    assert told(tmp_path / 'tile.png', tile) is None
    assert told(tmp_path / 'flat.png', np.full_like(whole, 300)) is None
    # Few values, of which none are lost.
    assert told(tmp_path / 'few.png', whole // 10000 * 10000) is None
    dark = (RAMP // 512).astype(np.uint8)
    for name in ('dark.png', 'dark.tif', 'dark.bmp'):
        assert told(tmp_path / name, dark) is None


def test_images_that_no_header_check_opens(tmp_path, monkeypatch):
    monkeypatch.setattr('PIL.Image.MAX_IMAGE_PIXELS', 100)
    values = (RAMP * 16).astype(np.uint16)
    assert told(tmp_path / 'large.png', values) is None
