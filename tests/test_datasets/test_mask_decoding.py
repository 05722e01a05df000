import json

import numpy as np
import pytest
from PIL import Image

from rml_mmseg.datasets.mask_decoding import (
    IGNORED_NAMES,
    decode_colours,
    read_colour_table,
    read_mask,
)

CSV = """name,r,g,b
road, 128, 64, 128
sky, 70, 130, 180
void, 0, 0, 0
car, 0, 0, 142
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / 'colours.csv'
    path.write_text(CSV)
    return read_colour_table(path)


def test_csv_counts_classes_and_ignores_void(table):
    assert table.ids.tolist() == [0, 1, 255, 2]
    assert table.class_names() == ('road', 'sky', 'car')
    assert table.palette() == [[128, 64, 128], [70, 130, 180], [0, 0, 142]]


@pytest.mark.parametrize('name', IGNORED_NAMES)
def test_names_that_are_ignored(tmp_path, name):
    path = tmp_path / 'colours.csv'
    path.write_text(f'name,r,g,b\na,1,1,1\n{name.upper()},2,2,2\nb,3,3,3\n')
    assert read_colour_table(path).ids.tolist() == [0, 255, 1]


def test_colours_of_one_name_are_one_class(tmp_path):
    path = tmp_path / 'colours.csv'
    path.write_text('name,r,g,b\na,1,1,1\nb,2,2,2\na,3,3,3\nc,4,4,4\n')
    table = read_colour_table(path)
    assert table.ids.tolist() == [0, 1, 0, 2]
    assert table.class_names() == ('a', 'b', 'c')


@pytest.mark.parametrize('suffix', ['.json', '.JSON'])
def test_json_forms(tmp_path, suffix):
    path = tmp_path / f'colours{suffix}'
    path.write_text(json.dumps({'a': [1, 2, 3], 'b': [4, 5, 6]}))
    assert read_colour_table(path).ids.tolist() == [0, 1]
    # Two colours of one class, and an explicit order.
    rows = [
        {'name': 'b', 'color': [4, 5, 6], 'id': 1},
        {'name': 'a', 'color': [1, 2, 3], 'id': 0},
        {'name': 'b', 'color': [7, 8, 9], 'id': 1},
    ]
    path.write_text(json.dumps(rows))
    table = read_colour_table(path)
    assert table.class_names() == ('a', 'b')
    assert table.palette() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    'text, message',
    [
        ('name,r,g,b\n', 'holds no colour'),
        ('name,r,g,b\n,1,2,3\n', 'row 1 has no name'),
        ('name,r,g\na,1,2\n', "'a' needs three integers"),
        ('name,r,g,b\na,1,2,300\n', 'three values from 0 to 255'),
        ('name,r,g,b,id\na,1,2,3,256\n', "id of 'a' must be 0 to 255"),
        ('name,r,g,b\na,1,2,3\nb,1,2,3\n', "'a' and 'b' have the same"),
        ('name,r,g,b,id\na,1,2,3,0\na,2,2,3,1\n', "'a' has the ids 0 and 1"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, message):
    path = tmp_path / 'colours.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_colour_table(path)


def test_broken_json_is_named(tmp_path):
    path = tmp_path / 'colours.json'
    path.write_text('{')
    with pytest.raises(ValueError, match='is not a colour table'):
        read_colour_table(path)


def test_gap_in_ids_is_named(tmp_path):
    path = tmp_path / 'colours.csv'
    path.write_text('name,r,g,b,id\na,1,2,3,0\nb,4,5,6,2\n')
    with pytest.raises(ValueError, match=r'without gaps, but are \[0, 2\]'):
        read_colour_table(path).class_names()


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
    path.write_text(f'{CSV}ignore,9,200,9\n')
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
