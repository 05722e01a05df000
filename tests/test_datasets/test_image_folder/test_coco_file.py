import json

import pytest

from rml_mmseg.datasets.image_folder import CocoFile

pytest.importorskip('pycocotools')


def polygon(x1, y1, x2, y2):
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def write(path, *annotations, **changes):
    data = dict(
        images=[
            dict(id=5, file_name='cam/1.jpg', height=3, width=4),
            dict(id=6, file_name='cam/2.jpg', height=3, width=4),
        ],
        categories=[
            dict(id=4, name='wall'),
            dict(id=2, name='roof'),
            dict(id=9, name='never used'),
        ],
        annotations=[
            dict(dict(id=number, image_id=5), **annotation)
            for number, annotation in enumerate(annotations, start=1)
        ],
    )
    path.write_text(json.dumps(dict(data, **changes)))
    return path


def test_small_objects_cover_large_ones(tmp_path):
    lengths = dict(size=[3, 4], counts=[9, 1, 2])
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=2, segmentation=polygon(0, 0, 1, 1)),
        dict(category_id=4, segmentation=polygon(0, 0, 2, 3)),
        dict(category_id=2, segmentation=lengths, iscrowd=1),
    )
    found = CocoFile(path, ['cam/1', 'cam/2'])
    assert found.classes == ('background', 'roof', 'wall')
    assert 'cam/1' in found and 'cam/2' not in found
    assert found.read('cam/1').tolist() == [
        [1, 2, 0, 1],
        [2, 2, 0, 0],
        [2, 2, 0, 0],
    ]
    assert found.describe('cam/1') == f'{path} (cam/1)'


def test_ignored_rest_and_given_order(tmp_path):
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=4, segmentation=polygon(0, 0, 1, 3)),
    )
    found = CocoFile(path, ['cam/1'], ('wall', 'roof'), False)
    assert found.classes == ('wall', 'roof')
    assert found.read('cam/1').tolist() == [[0, 255, 255, 255]] * 3


def test_no_image_of_the_folder(tmp_path):
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=4, segmentation=polygon(0, 0, 1, 1)),
    )
    with pytest.raises(ValueError, match=r"is 'cam/1', .* has '1'"):
        CocoFile(path, ['1', '2'])


@pytest.mark.parametrize(
    ('segmentation', 'reason'),
    [
        (None, 'no segmentation'),
        ([], 'no segmentation'),
        ([[1, 2]], 'needs 3 or more points'),
        ([[0, 0, 1, 3]], 'needs 3 or more points'),
        ([[0, 0, 1, 0, 1, 3, 0]], 'points, each x and y'),
        (dict(size=[4, 3], counts=[12]), r'size is \[4, 3\].* is \[3, 4\]'),
        (dict(size=[3, 4], counts=[3, 3]), 'sum to 6, .* has 12 pixels'),
    ],
)
def test_annotation_that_cannot_be_drawn(tmp_path, segmentation, reason):
    path = write(
        tmp_path / 'coco.json', dict(category_id=4, segmentation=segmentation)
    )
    found = CocoFile(path, ['cam/1'])
    with pytest.raises(ValueError, match=f'annotation 1 cannot .*{reason}'):
        found.read('cam/1')


def test_images_of_one_id(tmp_path):
    images = [
        dict(id=0, file_name=f'cam/{name}.jpg', height=3, width=4)
        for name in '12'
    ]
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=4, segmentation=polygon(0, 0, 1, 1), image_id=0),
        images=images,
    )
    with pytest.raises(ValueError, match='several images have the id 0'):
        CocoFile(path, ['cam/1', 'cam/2'])


def test_an_annotation_of_no_image(tmp_path):
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=4, segmentation=polygon(0, 0, 1, 1)),
        dict(category_id=4, segmentation=polygon(0, 0, 1, 1), image_id=8),
    )
    with pytest.raises(ValueError, match='image_id 8, but no image has this'):
        CocoFile(path, ['cam/1'])


@pytest.mark.parametrize('same', [True, False])
def test_annotations_without_ids_of_their_own(tmp_path, same):
    annotations = [
        dict(image_id=5, category_id=4, segmentation=polygon(0, 0, 1, 3)),
        dict(image_id=5, category_id=2, segmentation=polygon(2, 0, 3, 3)),
    ]
    for annotation in annotations:
        annotation.update(dict(id=1) if same else {})
    path = write(tmp_path / 'coco.json', annotations=annotations)
    text = path.read_text()
    path.write_text(text, 'utf-8-sig')
    found = CocoFile(path, ['cam/1'])
    assert found.read('cam/1').tolist() == [[2, 0, 1, 0]] * 3


def test_category_that_is_missing(tmp_path):
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=77, segmentation=polygon(0, 0, 1, 1)),
    )
    with pytest.raises(
        ValueError, match='category_id 77, but no category has this'
    ):
        CocoFile(path, ['cam/1'])


@pytest.mark.parametrize('text', ['[]', '{', '{"images": [{"id": 1}]}'])
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / 'coco.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'coco.json is not a COCO file'):
        CocoFile(path, ['a'])


def test_an_image_that_is_listed_twice(tmp_path):
    images = [
        dict(id=number, file_name=name, height=3, width=4)
        for number, name in ((5, 'cam/1.jpg'), (7, 'cam\\1.jpg'))
    ]
    path = write(
        tmp_path / 'coco.json',
        dict(category_id=4, segmentation=polygon(0, 0, 1, 3)),
        dict(category_id=2, segmentation=polygon(2, 0, 3, 3), image_id=7),
        images=images,
    )
    found = CocoFile(path, ['cam/1'])
    assert found.read('cam/1').tolist() == [[2, 0, 1, 0]] * 3
    images[1]['height'] = 5
    write(
        path,
        dict(category_id=4, segmentation=polygon(0, 0, 1, 3)),
        dict(category_id=2, segmentation=polygon(2, 0, 3, 3), image_id=7),
        images=images,
    )
    with pytest.raises(
        ValueError, match=r'\[5, 7\] are all .*have different sizes'
    ):
        CocoFile(path, ['cam/1']).read('cam/1')
