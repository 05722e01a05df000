import cv2
import numpy as np
import pytest

from tests.test_tools.converter_helpers import ids, photo, save
from tools.dataset_converters import camvid, cityscapes
from tools.dataset_converters import make_textured_scenes as scenes


class TestCamVid:
    def _source(self, root):
        for split in ('train', 'val', 'test'):
            save(root / split / 'a.png', photo(2, 3))
            save(root / f'{split}annot' / 'a.png', [[0, 10, 11]] * 2)

    def test_void_becomes_ignored(self, tmp_path, call, capsys):
        self._source(tmp_path / 'CamVid')
        out = tmp_path / 'out'
        call(camvid, tmp_path / 'CamVid', out)
        assert ids(out / 'ann_dir/test/a.png') == [[0, 10, 255]] * 2
        assert (out / 'img_dir/val/a.jpg').is_file()
        assert 'train: 1 images (the public copy: 367)' in (
            capsys.readouterr().out
        )

    def test_png_is_lossless(self, tmp_path, call):
        self._source(tmp_path / 'CamVid')
        out = tmp_path / 'out'
        call(camvid, tmp_path / 'CamVid', out, '--image-format', 'png')
        image = cv2.imread(str(out / 'img_dir/train/a.png'))[..., ::-1]
        assert np.array_equal(image, photo(2, 3))

    @pytest.mark.parametrize(
        'mask, message',
        [
            ([[0, 12, 3]] * 2, r'holds the ids \[12\]'),
            ([[0, 1]] * 2, r'size \(2, 2\), but its image \(2, 3\)'),
            (photo(2, 3), 'masks need one channel'),
        ],
    )
    def test_bad_masks_are_named(self, tmp_path, call, mask, message):
        self._source(tmp_path)
        save(tmp_path / 'valannot' / 'a.png', mask)
        with pytest.raises(SystemExit, match=f'valannot.a.png.*{message}'):
            call(camvid, tmp_path, tmp_path / 'out')

    def test_what_cannot_be_written_ends_it(self, tmp_path):
        self._source(tmp_path)
        pair = tmp_path / 'val/a.png', tmp_path / 'valannot/a.png'
        (tmp_path / 'img_dir').write_text('no folder')
        with pytest.raises(OSError, match='img_dir'):
            camvid.convert_pair(('val', *pair), tmp_path, 'jpg', 95)

    def test_missing_parts_are_named(self, tmp_path, call):
        self._source(tmp_path)
        save(tmp_path / 'test' / 'b.png', photo(2, 3))
        with pytest.raises(SystemExit, match='no mask.*b.png'):
            call(camvid, tmp_path, tmp_path / 'out')
        with pytest.raises(SystemExit, match='folder CamVid of SegNet'):
            call(camvid, tmp_path / 'none', tmp_path / 'out')


class TestTexturedScenes:
    def test_writes_once(self, tmp_path, call, capsys):
        out = tmp_path / 'scenes'
        arguments = ('--out', out, '--train', 30, '--test', 1)
        call(scenes, *arguments, '--size', 40, 48)
        assert 'gem' in capsys.readouterr().out
        image = cv2.imread(str(out / 'img_dir/test/scene_0000.png'))
        assert image.shape == (40, 48, 3)
        call(scenes, *arguments, '--size', 40, 48)
        assert 'nothing to do' in capsys.readouterr().out

    def test_errors_end_with_a_message(self, tmp_path, call):
        with pytest.raises(SystemExit, match='error: labelled must be'):
            call(scenes, '--out', tmp_path / 'a', '--labelled', 0)


class TestCityscapes:
    # road, sidewalk, ego vehicle, car; the majority of each 2x2 block.
    LABEL = [[7, 7, 8, 26], [7, 8, 1, 1], [1, 1, 26, 8], [1, 1, 8, 26]]
    FULL = [
        [0, 0, 1, 13],
        [0, 1, 255, 255],
        [255, 255, 13, 1],
        [255, 255, 1, 13],
    ]
    NAME = 'bonn/bonn_000000_000019'

    def _source(self, root):
        for split in ('train', 'val'):
            save(
                root / f'leftImg8bit/{split}/{self.NAME}_leftImg8bit.png',
                np.repeat(np.repeat(photo(2, 2), 2, axis=0), 2, axis=1),
            )
            save(
                root / f'gtFine/{split}/{self.NAME}_gtFine_labelIds.png',
                self.LABEL,
            )

    def test_table_has_19_classes(self):
        label = np.arange(34, dtype=np.uint8)[None]
        found = cityscapes.to_train_ids(label)
        assert found[0, [7, 8, 11, 17, 24, 28, 31, 33]].tolist() == [
            0, 1, 2, 5, 11, 15, 16, 18,
        ]  # fmt: skip
        assert sorted(found[found != 255]) == list(range(19))
        assert found[0, [0, 9, 16, 29, 30]].tolist() == [255] * 5
        with pytest.raises(ValueError, match=r'ids \[34\]'):
            cityscapes.to_train_ids(label + 1)

    @pytest.mark.parametrize('nproc', [1, 2])
    def test_half_size(self, tmp_path, call, nproc):
        root, out = tmp_path / 'city', tmp_path / 'half'
        self._source(root)
        call(cityscapes, root, out, '--nproc', nproc)
        label = f'gtFine/val/{self.NAME}_gtFine_labelTrainIds.png'
        assert ids(root / label) == self.FULL
        assert ids(out / label) == [[0, 1], [255, 13]]
        image = cv2.imread(
            str(out / f'leftImg8bit/val/{self.NAME}_leftImg8bit.png')
        )
        assert np.array_equal(image[..., ::-1], photo(2, 2))

    def test_second_run_only_fills_gaps(self, tmp_path, call):
        root, out = tmp_path / 'city', tmp_path / 'half'
        self._source(root)
        call(cityscapes, root, out)
        labels = sorted(out.rglob('*TrainIds.png'))
        stamp = labels[0].stat().st_mtime_ns
        labels[1].unlink()
        call(cityscapes, root, out)
        assert labels[0].stat().st_mtime_ns == stamp
        assert labels[1].is_file()
        assert not list(tmp_path.rglob('*unfinished*'))

    def test_failures_are_listed_and_the_rest_is_done(
        self, tmp_path, call, capsys
    ):
        root, out = tmp_path / 'city', tmp_path / 'half'
        self._source(root)
        image = root / f'leftImg8bit/train/{self.NAME}_leftImg8bit.png'
        image.write_bytes(b'no image')
        with pytest.raises(SystemExit) as error:
            call(cityscapes, root, out)
        assert error.value.code == 1
        text = capsys.readouterr().out
        assert '1 failed' in text and 'cannot be read as an image' in text
        assert (
            out / f'gtFine/val/{self.NAME}_gtFine_labelTrainIds.png'
        ).is_file()

    def test_missing_data_is_named(self, tmp_path, call):
        with pytest.raises(SystemExit, match='gtFine_trainvaltest'):
            call(cityscapes, tmp_path, tmp_path / 'half')
