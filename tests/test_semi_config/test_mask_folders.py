"""One data set out of several that differ in their masks."""

import pytest

from rml_mmseg.semi_config.mask_folders import one_dataset
from tests.toys import labelled_cfg, write_images


@pytest.fixture
def parts(tmp_path):
    """Three images: masks of two in one folder, of the third in another."""
    write_images(tmp_path, 3)
    (tmp_path / 'more').mkdir()
    (tmp_path / 'ann/2.png').rename(tmp_path / 'more/2.png')
    return [
        dict(
            labelled_cfg(tmp_path),
            data_prefix=dict(img_path='img', seg_map_path=masks),
            ann_file=f'{masks}.txt',
        )
        for masks in ('ann', 'more')
    ]


def write(folder, name, *numbers):
    path = folder / f'{name}.txt'
    path.write_text(''.join(f'{number}\n' for number in numbers))
    return path


@pytest.mark.parametrize(('numbers', 'taken'), [((0, 1), 0), ((2,), 1)])
def test_the_folder_of_all_masks_is_taken(parts, tmp_path, numbers, taken):
    path = write(tmp_path, 'labelled', *numbers)
    found = one_dataset(parts, [path])
    assert found == dict(parts[taken], ann_file=str(path))
    # The parts stay as they are.
    assert parts[0]['ann_file'] == 'ann.txt'


def test_masks_in_several_folders_are_counted(parts, tmp_path):
    lists = [write(tmp_path, 'a', 0, 1), write(tmp_path, 'b', 2)]
    with pytest.raises(
        FileNotFoundError,
        match=r"a.txt and other .*\('ann' lacks 1, 'more' lacks 2\)\. Copy",
    ):
        one_dataset(parts, lists)
    (tmp_path / 'ann/2.png').symlink_to(tmp_path / 'more/2.png')
    found = one_dataset(parts, lists)
    assert found['data_prefix']['seg_map_path'] == 'ann'
    assert found['ann_file'] == str(lists[0])


def test_what_is_in_no_folder_is_named(parts, tmp_path):
    (tmp_path / 'img/3.png').touch()
    for number, file in ((3, 'ann/3.png'), (4, 'img/4.png')):
        path = write(tmp_path, 'labelled', 0, 2, number)
        with pytest.raises(FileNotFoundError, match=f'no file .*/{file}'):
            one_dataset(parts, [path])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(data_root='/b'), r"differ in data_root \('/.*', '/b'\)\. Use"),
        (dict(pipeline=[]), r'differ in pipeline\. Use a stock config'),
        (
            dict(data_prefix=dict(img_path='more')),
            r"differ in data_prefix.img_path \('img', 'more'\)\. Use",
        ),
        (
            dict(data_root='/b', reduce_zero_label=True),
            r'data_root \(.*\); reduce_zero_label\. Use',
        ),
    ],
)
def test_parts_of_other_images_are_refused(parts, tmp_path, change, message):
    path = write(tmp_path, 'labelled', 0)
    with pytest.raises(ValueError, match=message):
        one_dataset([parts[0], dict(parts[1], **change)], [path])
