import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from rml_mmseg.datasets.colour_table import IGNORED_NAMES
from rml_mmseg.datasets.image_folder import LabelMeFolder


def write(folder, name, *shapes, size=(4, 6)):
    data = dict(shapes=list(shapes), imageHeight=size[0], imageWidth=size[1])
    path = folder / f'{name}.json'
    # With a byte order mark, as Windows may write it.
    path.write_text(json.dumps(data), 'utf-8-sig')
    return path


def box(label, *corners):
    return dict(label=label, points=corners, shape_type='rectangle')


def test_later_shapes_cover_earlier_ones(tmp_path):
    triangle = dict(label='roof', points=[[0, 0], [5, 0], [0, 0]])
    write(
        tmp_path,
        'a',
        box('wall', [0, 1], [3, 2]),
        triangle,
        box('void', [3, 2], [5, 3]),
        box('roof', [1, 3], [1, 1]),
    )
    found = LabelMeFolder(tmp_path, ['a', 'b'])
    assert found.classes == ('background', 'roof', 'wall')
    assert 'a' in found and 'b' not in found
    assert found.read('a').tolist() == [
        [1, 1, 1, 1, 1, 1],
        [2, 1, 2, 2, 0, 0],
        [2, 1, 2, 255, 255, 255],
        [0, 1, 0, 255, 255, 255],
    ]


def test_a_rectangle_by_all_corners(tmp_path):
    corners = [1, 1], [4, 1], [4, 2], [1, 2]
    write(tmp_path, 'a', box('wall', *corners))
    write(tmp_path, 'b', box('wall', [1, 1], [4, 2]))
    found = LabelMeFolder(tmp_path, ['a', 'b'])
    assert found.read('a').sum() == 8
    assert np.array_equal(found.read('a'), found.read('b'))


def test_given_classes_and_ignored_rest(tmp_path):
    write(tmp_path, 'a', box('wall', [0, 0], [1, 1]))
    found = LabelMeFolder(tmp_path, ['a'], ('roof', 'wall'), False)
    assert found.classes == ('roof', 'wall')
    assert found.read('a')[:2, :3].tolist() == [[1, 1, 255]] * 2


@pytest.mark.parametrize('name', IGNORED_NAMES)
def test_names_that_are_ignored(tmp_path, name):
    label = name.upper()
    write(
        tmp_path, 'a', box('wall', [0, 0], [1, 1]), box(label, [2, 2], [3, 3])
    )
    found = LabelMeFolder(tmp_path, ['a'])
    assert found.classes == ('background', 'wall')
    assert found.read('a').max(axis=1).tolist() == [1, 1, 255, 255]
    # If it is among the given classes, it is a class.
    found = LabelMeFolder(tmp_path, ['a'], (label, 'wall'), False)
    assert found.read('a')[2, 2:].tolist() == [0, 0, 255, 255]


def test_background_keeps_its_place(tmp_path):
    write(tmp_path, 'a', box('_background_', [0, 0], [0, 0]))
    classes = ('wall', '_background_')
    found = LabelMeFolder(tmp_path, ['a'], classes)
    assert found.classes == classes
    assert np.unique(found.read('a')).tolist() == [1]


def test_circle_and_mask(tmp_path):
    stored = io.BytesIO()
    Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(
        stored, 'PNG'
    )
    mask = dict(
        label='m',
        shape_type='mask',
        points=[[1, 2], [2, 3]],
        mask=base64.b64encode(stored.getvalue()).decode(),
    )
    circle = dict(label='c', shape_type='circle', points=[[5, 1], [5, 2]])
    write(tmp_path, 'a', mask, circle)
    ids = LabelMeFolder(tmp_path, ['a']).read('a')
    assert ids[2:, 1:3].tolist() == [[2, 0], [2, 2]]
    assert ids[0:3, 5].tolist() == [1, 1, 1] and ids[1, 4] == 1
    assert ids[3, 5] == 0


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        (dict(label='x', points=[[0, 0], [1, 1]]), 'a polygon needs 3'),
        (dict(label='x', points=[[0, 0]], shape_type='point'), "'point'"),
        (dict(label='x', points=[0, 1], shape_type='circle'), 'not pairs'),
        (
            dict(label='x', points=[[0, 0]] * 2, shape_type='mask', mask='??'),
            'not a base64 PNG',
        ),
    ],
)
def test_wrong_shapes_are_named(tmp_path, shape, message):
    path = write(tmp_path, 'a', shape)
    with pytest.raises(ValueError, match=message) as caught:
        LabelMeFolder(tmp_path, ['a']).read('a')
    assert f"{path}: shape 1 ('x')" in str(caught.value)


def test_unknown_label_names_file_and_the_nearest(tmp_path):
    write(tmp_path, 'a', box('wal', [0, 0], [1, 1]))
    with pytest.raises(ValueError, match=r"a.json: .*did you mean 'wall'"):
        LabelMeFolder(tmp_path, ['a'], ('roof', 'wall'))


def test_files_of_no_use_are_told(tmp_path):
    write(tmp_path, 'a', box('wall', [0, 0], [1, 1]))
    write(tmp_path, 'b')
    write(tmp_path, 'c', box('wall', [0, 0], [1, 1]))
    found = LabelMeFolder(tmp_path, ['a', 'b'])
    assert 'b' not in found
    assert found.orphans == [
        str(tmp_path / 'c.json'),
        f'{tmp_path / "b.json"} (has no shapes)',
    ]


def test_other_json_is_refused(tmp_path):
    (tmp_path / 'a.json').write_text('{"images": []}')
    with pytest.raises(ValueError, match=r'a.json is not a LabelMe file'):
        LabelMeFolder(tmp_path, ['a'])


def test_sizes_as_other_tools_write_them(tmp_path):
    write(tmp_path, 'a', box('wall', [0, 0], [1, 1]), size=('4', 6.0))
    assert LabelMeFolder(tmp_path, ['a']).read('a').shape == (4, 6)


def test_a_shape_without_a_label(tmp_path):
    write(tmp_path, 'a', box(None, [0, 0], [1, 1]))
    with pytest.raises(ValueError, match='a label is None'):
        LabelMeFolder(tmp_path, ['a'])


def test_background_however_it_is_written(tmp_path):
    ground, wall = (
        box('Background', [0, 0], [5, 3]),
        box('wall', [0, 0], [0, 0]),
    )
    write(tmp_path, 'a', wall, ground)
    found = LabelMeFolder(tmp_path, ['a'], ('roof', 'wall'))
    assert found.classes == ('background', 'roof', 'wall')
    assert (found.read('a') == 0).all()
    own = LabelMeFolder(tmp_path, ['a'])
    assert own.classes == ('Background', 'wall')
