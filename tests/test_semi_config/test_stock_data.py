"""Data of stock configs by lists; more in test_make_semi_voc.py."""

import pytest
from mmengine.config import Config

from rml_mmseg.semi_config.stock_data import data_of_lists
from tests.toys import labelled_cfg, write_images


@pytest.fixture
def stock(tmp_path):
    """Four images, the last one for validation, and the first labelled."""
    write_images(tmp_path, 4)
    for name, number in (('labelled', 0), ('val', 3)):
        (tmp_path / f'{name}.txt').write_text(f'{number}\n')
    train = labelled_cfg(tmp_path)
    return Config(
        dict(
            train_dataloader=dict(dataset=train),
            val_dataloader=dict(dataset=dict(train, ann_file='val.txt')),
        )
    )


def test_images_for_validation_are_not_learnt_from(stock, tmp_path):
    labelled, folder = tmp_path / 'labelled.txt', tmp_path / 'img'
    data = data_of_lists(stock, [(labelled, folder)])
    assert data.names == ['1.png', '2.png']
    listed = tmp_path / 'unlabelled.txt'
    listed.write_text('1\n3\n')
    with pytest.raises(ValueError, match='1 of 2 .* for validation.*3.png'):
        data_of_lists(stock, [(labelled, listed)])


def test_lists_of_all_runs_are_checked(stock, tmp_path):
    runs = []
    for number in (0, 1):
        pair = [tmp_path / f'{name}_{number}.txt' for name in 'lu']
        pair[0].write_text(f'{number}\n')
        pair[1].write_text('1\n2\n')
        runs.append(tuple(pair))
    data = data_of_lists(stock, runs[:1])
    assert data.labelled['ann_file'] == str(runs[0][0])
    assert data.unlabelled == dict(
        type='UnlabelledSegDataset',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='img'),
        img_suffix='.png',
        ann_file=str(runs[0][1]),
    )
    assert data.names is None
    with pytest.raises(ValueError, match=r'of .*u_1.txt are labelled.*1\.png'):
        data_of_lists(stock, runs)
    data_of_lists(stock, runs, allow_overlap=True)
    runs[1][1].unlink()
    with pytest.raises(FileNotFoundError, match='--unlabelled: no .*u_1.txt'):
        data_of_lists(stock, runs)
