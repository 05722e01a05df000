import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.test_tools.converter_helpers import ids, photo, save
from tools.dataset_converters import voc_aug


class TestVOC:
    def _source(self, root):
        voc = root / 'VOC2012'
        for name in ('t1', 'v1', 's1', 's2'):
            (voc / 'JPEGImages').mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo(2, 2).astype(np.uint8)).save(
                voc / f'JPEGImages/{name}.jpg'
            )
        for name in ('t1', 'v1'):
            mask = Image.fromarray(
                np.array([[0, 255], [20, 1]], dtype=np.uint8), mode='P'
            )
            mask.putpalette([7] * 768)
            (voc / 'SegmentationClass').mkdir(exist_ok=True)
            mask.save(voc / f'SegmentationClass/{name}.png')
        lists = voc / 'ImageSets/Segmentation'
        lists.mkdir(parents=True)
        (lists / 'train.txt').write_text('t1\n')
        (lists / 'val.txt').write_text('v1\n')
        return voc

    def _sbd(self, root, value=5):
        cls = root / 'benchmark_RELEASE/dataset/cls'
        cls.mkdir(parents=True)
        for name in ('s2', 's1', 't1', 'v1'):
            mask = np.full((2, 2), value, dtype=np.uint8)
            savemat(
                str(cls / f'{name}.mat'), {'GTcls': {'Segmentation': mask}}
            )
        return root / 'benchmark_RELEASE'

    @pytest.mark.parametrize('kind', ['sbd', 'masks'])
    def test_lists_and_masks(self, tmp_path, call, kind):
        voc = self._source(tmp_path)
        if kind == 'sbd':
            source = self._sbd(tmp_path)
        else:
            source = tmp_path / 'masks'
            for name in ('s2', 's1', 'v1'):
                save(source / f'{name}.png', [[5, 5], [5, 5]])
        call(voc_aug, voc, f'--{kind}', source, '--any-number')
        lists = voc / 'ImageSets/Segmentation'
        train_aug = (lists / 'train_aug.txt').read_text()
        assert train_aug == 's1\ns2\nt1\n'
        assert (lists / 'aug.txt').read_text() == 's1\ns2\n'
        masks = voc / 'SegmentationClassAug'
        assert ids(masks / 's2.png') == [[5, 5], [5, 5]]
        # VOC's own masks serve its own images.
        for name in ('t1', 'v1'):
            assert ids(masks / f'{name}.png') == [[0, 255], [20, 1]]
        assert len(list(masks.iterdir())) == 4

    def test_wrong_number_is_refused(self, tmp_path, call):
        voc, sbd = self._source(tmp_path), self._sbd(tmp_path)
        with pytest.raises(SystemExit, match='3 images, but must have 10582'):
            call(voc_aug, voc, '--sbd', sbd)
        assert not (voc / 'SegmentationClassAug').exists()

    def test_bad_masks_stop_the_lists(self, tmp_path, call, capsys):
        voc, sbd = self._source(tmp_path), self._sbd(tmp_path, value=21)
        with pytest.raises(SystemExit, match='lists were not written'):
            call(voc_aug, voc, '--sbd', sbd, '--any-number')
        text = capsys.readouterr().out
        assert '2 failed' in text and 'ids [21]' in text
        lists = voc / 'ImageSets/Segmentation'
        assert not (lists / 'train_aug.txt').exists()

    def test_broken_annotation_is_named(self, tmp_path):
        path = tmp_path / 'a.mat'
        savemat(str(path), {'other': 1})
        with pytest.raises(ValueError, match='not an SBD annotation with GT'):
            voc_aug.read_sbd_mask(path)

    def test_missing_sources_are_named(self, tmp_path, call):
        with pytest.raises(SystemExit, match='benchmark_RELEASE of SBD'):
            call(voc_aug, tmp_path, '--sbd', tmp_path)
        save(tmp_path / 'masks/a.png', [[0]])
        with pytest.raises(SystemExit, match='VOCtrainval_11-May-2012'):
            call(voc_aug, tmp_path, '--masks', tmp_path / 'masks')
