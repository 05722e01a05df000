import pytest

from rml_mmseg.datasets.data_root import check_data_roots


def loaders(**dataset):
    return {'train_dataloader': {'dataset': dataset}}


def test_present_data_passes(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'list.txt').touch()
    check_data_roots(
        loaders(
            data_root=str(tmp_path),
            data_prefix={'img_path': 'images', 'seg_map_path': None},
            ann_file='list.txt',
        )
    )


def test_names_setting_folder_and_remedy(tmp_path):
    root = str(tmp_path / 'camvid')
    cfg = loaders(data_root=root, data_prefix={'img_path': 'images'})
    cfg['data_preparation'] = 'see docs/data.md'
    with pytest.raises(FileNotFoundError) as error:
        check_data_roots(cfg)
    # The folder below a missing root is not listed again.
    assert str(error.value).splitlines() == [
        'the data of this config is missing:',
        f'  {root} (set by train_dataloader.dataset.data_root)',
        'How to get it: see docs/data.md',
    ]


def test_the_remedy_is_for_the_data_of_its_config_alone(tmp_path):
    """A config may inherit the text from its base but have other data."""
    cfg = loaders(data_root=str(tmp_path / 'mine'), ann_file='list.txt')
    cfg['data_preparation'] = 'get the base'
    for root, told in (('base', False), ('mine', True), ('', True)):
        cfg['data_root'] = root and str(tmp_path / root)
        with pytest.raises(FileNotFoundError) as error:
            check_data_roots(cfg)
        assert ('get the base' in str(error.value)) == told


def test_names_what_is_missing_below_the_root(tmp_path):
    cfg = loaders(
        data_root=str(tmp_path),
        data_prefix={'img_path': 'images'},
        ann_file='list.txt',
    )
    with pytest.raises(FileNotFoundError) as error:
        check_data_roots(cfg)
    assert str(error.value).splitlines()[1:] == [
        f'  {tmp_path}/images (set by '
        'train_dataloader.dataset.data_prefix.img_path)',
        f'  {tmp_path}/list.txt (set by train_dataloader.dataset.ann_file)',
    ]


def test_finds_nested_datasets_and_lists_a_path_once():
    labelled = {'type': 'A', 'data_root': 'no/such'}
    cfg = loaders(
        labelled={'type': 'RepeatDataset', 'dataset': labelled},
        unlabelled={'datasets': [{'data_root': 'no/such'}]},
    )
    with pytest.raises(FileNotFoundError) as error:
        check_data_roots(cfg)
    place = 'train_dataloader.dataset'
    assert str(error.value).splitlines()[1] == (
        f'  no/such (set by {place}.labelled.dataset.data_root, '
        f'{place}.unlabelled.datasets.0.data_root)'
    )


def test_looks_only_at_the_loaders_asked_for():
    cfg = {
        'train_dataloader': None,
        'test_dataloader': {'dataset': {'data_root': 'no/such'}},
    }
    check_data_roots(cfg, ['train_dataloader', 'val_dataloader'])
    with pytest.raises(FileNotFoundError):
        check_data_roots(cfg, ['test_dataloader'])


def test_absolute_prefix_stands_for_itself(tmp_path):
    check_data_roots(
        loaders(
            data_root=str(tmp_path), data_prefix={'img_path': str(tmp_path)}
        )
    )


@pytest.mark.parametrize(
    'dataset',
    [
        {'data_root': 's3://bucket/camvid', 'ann_file': 'a.txt'},
        {'ann_file': 's3://bucket/a.txt'},
    ],
)
def test_remote_storage_is_not_looked_up(dataset):
    check_data_roots(loaders(**dataset))
