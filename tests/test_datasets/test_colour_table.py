import json

import pytest

from rml_mmseg.datasets.colour_table import IGNORED_NAMES, read_colour_table

CSV = """name,r,g,b
road, 128, 64, 128
sky, 70, 130, 180
void, 0, 0, 0
car, 0, 0, 142
"""


def test_csv_counts_classes_and_ignores_void(tmp_path):
    path = tmp_path / 'colours.csv'
    path.write_text(CSV)
    table = read_colour_table(path)
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
        ('name,r,g\na,1,2\n', "'a' needs a colour of three integers"),
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
