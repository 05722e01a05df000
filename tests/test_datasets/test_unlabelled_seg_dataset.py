import numpy as np
import pytest
from mmseg.registry import DATASETS

from rml_mmseg.datasets import UnlabelledSegDataset
from tests.toys import write_images


def _touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')


def _names(dataset, root):
    return [
        info['img_path'].removeprefix(f'{root}/')
        for info in map(dataset.get_data_info, range(len(dataset)))
    ]


def _build(root, **kwargs):
    return UnlabelledSegDataset(data_root=str(root), pipeline=[], **kwargs)


def test_bare_folder_with_sub_folders_and_any_image_suffix(tmp_path):
    _touch(tmp_path, 'b.png', 'sub/a.JPG', 'c.webp', 'notes.txt', 'a.tif')
    dataset = _build(tmp_path)
    assert _names(dataset, tmp_path) == [
        'a.tif',
        'b.png',
        'c.webp',
        'sub/a.JPG',
    ]
    assert all('seg_map_path' not in i for i in dataset.load_data_list())


def test_suffix_of_one_kind(tmp_path):
    _touch(tmp_path, 'img/a_left.png', 'img/a_right.png')
    dataset = _build(
        tmp_path, data_prefix=dict(img_path='img'), img_suffix='_left.png'
    )
    assert _names(dataset, tmp_path) == ['img/a_left.png']


def test_glob(tmp_path):
    _touch(tmp_path, 'x/1_left.png', 'x/1_right.png', 'y/z/2_left.png')
    dataset = _build(tmp_path, glob='**/*_left.png')
    assert _names(dataset, tmp_path) == ['x/1_left.png', 'y/z/2_left.png']


def test_list_keeps_its_order_and_completes_suffixes(tmp_path):
    _touch(tmp_path, 'img/a.png', 'img/b.jpg', 'img/c/d.jpg', 'img/e.JPG')
    (tmp_path / 'list.txt').write_text('c/d\n\nb.jpg\n  a  \ne\n')
    dataset = _build(
        tmp_path, ann_file='list.txt', data_prefix=dict(img_path='img')
    )
    assert _names(dataset, tmp_path) == [
        'img/c/d.jpg',
        'img/b.jpg',
        'img/a.png',
        'img/e.JPG',
    ]


def test_masks_for_monitoring_are_named_after_the_image(tmp_path):
    _touch(tmp_path, 'img/a_left.png', 'img/b_left.png', 'ann/a_ids.png')
    dataset = _build(
        tmp_path,
        data_prefix=dict(img_path='img', seg_map_path='ann'),
        img_suffix='_left.png',
        seg_map_suffix='_ids.png',
    )
    assert dataset.get_data_info(0)['seg_map_path'] == str(
        tmp_path / 'ann' / 'a_ids.png'
    )
    # Not every image needs a mask.
    assert 'seg_map_path' not in dataset.get_data_info(1)


def test_listed_images_may_lie_in_a_remote_store(tmp_path, monkeypatch):
    # The clients of such stores, which join like this, are not installed.
    module = 'rml_mmseg.datasets.unlabelled_seg_dataset'
    monkeypatch.setattr(f'{module}.join_path', lambda *a: '/'.join(a))
    (tmp_path / 'list.txt').write_text('a.png\n')
    prefix = dict(img_path='s3://bucket/img', seg_map_path='s3://bucket/ann')
    dataset = UnlabelledSegDataset(
        ann_file=str(tmp_path / 'list.txt'), data_prefix=prefix
    )
    info = dataset.get_data_info(0)
    assert info['img_path'] == 's3://bucket/img/a.png'
    assert info['seg_map_path'] == 's3://bucket/ann/a.png'


@pytest.mark.parametrize('name', ['../secret', '/etc/a.png', 'x/../../a'])
def test_list_that_leaves_the_folder_is_an_error(tmp_path, name):
    (tmp_path / 'list.txt').write_text(f'{name}\n')
    with pytest.raises(ValueError, match=r'list\.txt.*leaves the folder'):
        _build(tmp_path, ann_file='list.txt')


def test_no_image_is_an_error_that_names_the_settings(tmp_path):
    with pytest.raises(ValueError, match='no unlabelled image.*img_suffix'):
        _build(tmp_path)
    with pytest.raises(ValueError, match=r"glob='\*\.gif'"):
        _build(tmp_path, glob='*.gif')


def test_missing_folder_and_missing_list_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'data_prefix\.img_path'):
        _build(tmp_path, data_prefix=dict(img_path='nowhere'))
    with pytest.raises(ValueError, match=r"must have img_path.*'seg_map_path"):
        _build(tmp_path, data_prefix=dict(seg_map_path='x'))
    with pytest.raises(FileNotFoundError, match='unlabelled.ann_file'):
        _build(tmp_path, ann_file='nowhere.txt')


def test_list_and_glob_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match='exclude each other'):
        _build(tmp_path, glob='*', ann_file='list.txt')


def test_is_a_registered_stock_dataset(tmp_path):
    write_images(tmp_path, 2)
    dataset = DATASETS.build(
        dict(
            type='UnlabelledSegDataset',
            data_root=str(tmp_path),
            data_prefix=dict(img_path='img'),
            pipeline=[dict(type='LoadImageFromFile')],
        )
    )
    item = dataset[1]
    assert item['img'].shape == (8, 10, 3)
    assert item['img'].dtype == np.uint8
    assert item['seg_fields'] == []
