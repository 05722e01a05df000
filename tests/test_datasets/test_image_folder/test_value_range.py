import cv2
import numpy as np
import pytest

from rml_mmseg.datasets.image_folder.value_range import read_image


def written(path, values):
    cv2.imwrite(str(path), np.asarray(values))
    return path


def test_a_window_of_ct(tmp_path):
    values = np.array([[-1000, -160, -60, 40, 140, 240, 3000]], np.int16)
    path = written(tmp_path / 'ct.tif', values)
    found = read_image(path, (-160, 240))
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 0, 64, 128, 191, 255, 255]]


def test_what_is_no_number_is_the_lowest(tmp_path):
    values = np.array([[np.nan, 0.5, np.inf, -np.inf]], np.float32)
    path = written(tmp_path / 'sar.tif', values)
    assert read_image(path, (0, 1)).tolist() == [[0, 128, 255, 0]]


def test_colours_stay_in_order(tmp_path):
    values = np.zeros((1, 2, 3), np.uint16)
    values[:] = 1000, 2000, 4000
    path = written(tmp_path / 'bands.png', values)
    assert read_image(path, (0, 4000)).tolist() == [[[64, 128, 255]] * 2]


def test_a_fourth_band_is_not_dropped(tmp_path):
    path = written(tmp_path / 'bands.tif', np.zeros((1, 2, 4), np.uint16))
    with pytest.raises(ValueError, match='bands.tif has 4 channels, .* three'):
        read_image(path, (0, 4000))


def test_what_needs_no_range_or_bears_none(tmp_path):
    path = written(tmp_path / 'grey.png', np.full((2, 3), 7, np.uint8))
    assert (read_image(path) == np.full((2, 3, 3), 7)).all()
    with pytest.raises(ValueError, match='grey.png has 8 bits, but --range'):
        read_image(path, (0, 9))
    gone = tmp_path / 'none.png'
    gone.write_bytes(b'no image')
    assert read_image(gone) is None and read_image(gone, (0, 9)) is None
