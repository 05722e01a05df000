import pytest
from mmseg.datasets import BaseSegDataset

from rml_mmseg.engine.checks.empty_data import empty_data_explained
from tests.toys import labelled_cfg, write_images


def test_data_set_without_images_is_named(tmp_path):
    write_images(tmp_path, 2)
    cfg = labelled_cfg(tmp_path, serialize_data=True)
    del cfg['type']
    with empty_data_explained():
        assert len(BaseSegDataset(**cfg)) == 2
    cfg['img_suffix'] = '.tif'
    message = "no image.*img_suffix='.tif'"
    with pytest.raises(ValueError, match=message), empty_data_explained():
        BaseSegDataset(**cfg)


def test_other_errors_stay():
    with pytest.raises(ValueError, match='^else$'), empty_data_explained():
        raise ValueError('else')
