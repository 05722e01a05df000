"""Damaged and absurdly large images are refused before decoding."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from rml_mmseg.datasets import CheckImage

NOISE = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)


def encoded(kind):
    return cv2.imencode(f'.{kind}', NOISE)[1].tobytes()


@pytest.mark.parametrize('kind', ['png', 'jpg', 'bmp', 'tif', 'webp'])
def test_whole_images_pass(tmp_path, kind):
    path = tmp_path / f'a.{kind}'
    path.write_bytes(encoded(kind))
    results = dict(img_path=str(path))
    assert CheckImage()(results) is results


@pytest.mark.parametrize('part', [0.4, 0.8, 0.99])
def test_jpeg_that_is_cut_off(tmp_path, part):
    path = tmp_path / 'a.jpg'
    content = encoded('jpg')
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match='a.jpg.*damaged'):
        CheckImage()(dict(img_path=str(path)))


def test_jpeg_with_more_behind_it_passes(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(encoded('jpg') + b'a film of the scene')
    CheckImage()(dict(img_path=str(path)))


@pytest.mark.parametrize(
    ('content', 'message'), [(b'', 'is empty'), (b'text', 'not a known image')]
)
def test_no_image(tmp_path, content, message):
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        CheckImage()(dict(img_path=str(path)))


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        CheckImage()(dict(img_path=str(tmp_path / 'a.png')))


def test_too_many_pixels(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(encoded('png'))
    with pytest.raises(ValueError, match='40 x 30 pixels.*max_pixels=1199'):
        CheckImage(max_pixels=1199)(dict(img_path=str(path)))
    CheckImage(max_pixels=1200)(dict(img_path=str(path)))


def test_header_of_an_absurd_size_costs_nothing(tmp_path):
    buffer = io.BytesIO()
    Image.new('1', (8, 8)).save(buffer, 'PNG')
    content = bytearray(buffer.getvalue())
    # Width and height of a PNG file are at a fixed place.
    content[16:24] = (60_000).to_bytes(4, 'big') * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, 'big')
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='too large'):
        CheckImage()(dict(img_path=str(path)))


def test_remote_files_are_not_looked_at():
    CheckImage()(dict(img_path='s3://bucket/a.png'))
