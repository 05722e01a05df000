import numpy as np
import pytest
from PIL import Image

from rml_mmseg.datasets.colour_table import ColourTable, read_colour_table
from rml_mmseg.datasets.mask_decoding import decode_colours, read_mask


@pytest.fixture
def table():
    colours = [[128, 64, 128], [70, 130, 180], [0, 0, 0], [0, 0, 142]]
    return ColourTable(
        np.array(colours, np.uint8),
        np.array([0, 1, 255, 2]),
        ('road', 'sky', 'void', 'car'),
    )


def test_colours_become_ids(table):
    image = np.array(
        [[[0, 0, 142], [128, 64, 128]], [[0, 0, 0], [70, 130, 180]]],
        dtype=np.uint8,
    )
    assert decode_colours(image, table).tolist() == [[2, 0], [255, 1]]


def test_unknown_colours_are_counted(table):
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[0] = (255, 255, 255)
    image[1, 1] = (1, 0, 0)
    message = r'2 colours .*\(255, 255, 255\) in 2 pixels, \(1, 0, 0\) in 1'
    with pytest.raises(ValueError, match=message) as no:
        decode_colours(image, table)
    assert 'b=255, and one for each other' in str(no.value)
    assert 'JPEG' not in str(no.value)


def test_a_missing_colour_is_to_be_named_or_ignored(tmp_path, table):
    image = np.full((2, 2, 3), (9, 200, 9), dtype=np.uint8)
    with pytest.raises(
        ValueError, match='^1 colour is not in .* in 4 p'
    ) as no:
        decode_colours(image, table)
    assert 'a row to the table with r=9, g=200, b=9, and' in str(no.value)
    path = tmp_path / 'colours.csv'
    path.write_text('name,r,g,b\nroad,1,2,3\nignore,9,200,9\n')
    assert (decode_colours(image, read_colour_table(path)) == 255).all()


def test_jpeg_is_told_by_many_colours_near_those_of_the_table(tmp_path, table):
    image = np.full((16, 16, 3), (128, 64, 128), dtype=np.uint8)
    image[4:11, 3:9] = (70, 130, 180)
    path = tmp_path / 'mask.jpg'
    Image.fromarray(image).save(path)
    with pytest.raises(ValueError, match='sign of JPEG') as no:
        read_mask(path, table)
    assert 'a line' not in str(no.value)


def test_grey_palette_and_16_bit_masks_hold_ids(tmp_path):
    ids = np.array([[0, 3], [255, 1]], dtype=np.uint8)
    Image.fromarray(ids).save(tmp_path / 'grey.png')
    palette = Image.fromarray(ids, mode='P')
    palette.putpalette([value for i in range(256) for value in (i, 0, 9)])
    palette.save(tmp_path / 'palette.png')
    Image.fromarray(ids.astype(np.uint16)).save(tmp_path / 'wide.png')
    for name in ('grey', 'palette', 'wide'):
        mask = read_mask(tmp_path / f'{name}.png')
        assert mask.dtype == np.uint8 and np.array_equal(mask, ids), name


def test_black_and_white_mask_needs_a_table(tmp_path):
    ids = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    Image.fromarray(ids).save(tmp_path / 'mask.png')
    path = tmp_path / 'colours.csv'
    path.write_text('name,r,g,b\nground,0,0,0\nobject,255,255,255\n')
    mask = read_mask(tmp_path / 'mask.png', read_colour_table(path))
    assert mask.tolist() == [[0, 1], [1, 0]]


def test_rgb_mask_and_its_errors(tmp_path, table):
    image = np.full((2, 3, 3), (70, 130, 180), dtype=np.uint8)
    path = tmp_path / 'mask.png'
    Image.fromarray(image).save(path)
    assert read_mask(path, table).tolist() == [[1] * 3] * 2
    with pytest.raises(ValueError, match='is coloured .mode RGB.'):
        read_mask(path)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match='mask.png cannot be read'):
        read_mask(path)


def test_ids_beyond_a_byte_are_named(tmp_path):
    path = tmp_path / 'mask.png'
    Image.fromarray(np.full((2, 2), 300, dtype=np.uint16)).save(path)
    with pytest.raises(ValueError, match='ids from 300 to 300'):
        read_mask(path)
