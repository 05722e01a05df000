import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader

from rml_mmseg.datasets import Draw, SemiSegDataset, SemiSegSampler
from tests.toys import labelled_cfg, unlabelled_cfg, write_images

RANDOM = (
    dict(type='RandomCrop', crop_size=(5, 5)),
    dict(type='RandomFlip', prob=0.5),
)
VIEWS = dict(
    type='WeakStrongViews', strong=[dict(type='PhotometricRandAugment')]
)


@pytest.fixture
def roots(tmp_path):
    write_images(tmp_path / 'l', 3, seed=1)
    write_images(tmp_path / 'u', 5, seed=2)
    return tmp_path / 'l', tmp_path / 'u'


def _build(roots, steps=(), views=None, masks=False, **kwargs):
    return SemiSegDataset(
        labelled=labelled_cfg(roots[0], steps),
        unlabelled=unlabelled_cfg(roots[1], steps, masks, views),
        **kwargs,
    )


def _leaves(item):
    """All tensors of a nested item, in one order."""
    if isinstance(item, torch.Tensor):
        return [item]
    if isinstance(item, dict):
        return [t for key in sorted(item) for t in _leaves(item[key])]
    if isinstance(item, (list, tuple)):
        return [t for part in item for t in _leaves(part)]
    if hasattr(item, 'gt_sem_seg'):
        return [item.gt_sem_seg.data]
    return []


def _same(a, b):
    a, b = _leaves(a), _leaves(b)
    assert len(a) == len(b) > 0
    return all(torch.equal(x, y) for x, y in zip(a, b))


def _pixels(root, i):
    image = cv2.imread(str(root / 'img' / f'{i}.png'))
    return torch.from_numpy(image.transpose(2, 0, 1).copy())


def test_length_is_the_number_of_unlabelled_images(roots):
    assert len(_build(roots)) == 5
    assert len(_build(roots, k=2)) == 5


def test_draw_names_the_images(roots):
    item = _build(roots, k=2)[Draw(labelled=1, unlabelled=(4, 0), seed=7)]
    assert torch.equal(item['labelled']['inputs'], _pixels(roots[0], 1))
    mask = item['labelled']['data_samples'].gt_sem_seg.data[0]
    assert torch.equal(mask, (_pixels(roots[0], 1)[0] % 3).long())
    for part, i in zip(item['unlabelled'], (4, 0)):
        assert torch.equal(part['inputs']['weak'], _pixels(roots[1], i))
        assert part['inputs']['valid'].eq(1).all()
    assert len(item['unlabelled']) == 2


def test_integer_index_counts_around(roots):
    item = _build(roots, k=2)[4]
    assert torch.equal(item['labelled']['inputs'], _pixels(roots[0], 1))
    for part, i in zip(item['unlabelled'], (4, 0)):
        assert torch.equal(part['inputs']['weak'], _pixels(roots[1], i))


def test_draw_s_seed_alone_makes_the_augmentation(roots):
    dataset = _build(roots, RANDOM, VIEWS)
    draws = [Draw(0, (1,), seed) for seed in range(6)]
    np.random.seed(0)
    first = [dataset[draw] for draw in draws]
    np.random.seed(1)
    torch.manual_seed(1)
    again = [dataset[draw] for draw in reversed(draws)][::-1]
    assert all(_same(a, b) for a, b in zip(first, again))
    assert not all(_same(first[0], other) for other in first[1:])


def test_loading_leaves_the_global_generators_alone(roots):
    dataset = _build(roots, RANDOM, VIEWS)
    np.random.seed(5)
    expected = np.random.uniform(size=3)
    np.random.seed(5)
    dataset[Draw(0, (1,), 2)]
    assert np.array_equal(np.random.uniform(size=3), expected)


def _batches(dataset, workers, count=3):
    loader = DataLoader(
        dataset,
        batch_size=2,
        sampler=SemiSegSampler(dataset, seed=4),
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    iterator = iter(loader)
    return [next(iterator) for _ in range(count)]


def test_number_of_workers_changes_nothing_in_the_data(roots):
    dataset = _build(roots, RANDOM, VIEWS, k=2)
    alone = _batches(dataset, 0)
    for workers in (1, 2):
        together = _batches(dataset, workers)
        assert all(_same(a, b) for a, b in zip(alone, together))
    assert not _same(alone[0], alone[1])


def test_unlabelled_masks_are_loaded_only_where_asked_for(roots):
    draw = Draw(0, (2,), 0)
    plain = _build(roots)[draw]['unlabelled'][0]
    assert 'gt_sem_seg' not in plain['data_samples']
    watched = _build(roots, masks=True)[draw]['unlabelled'][0]
    mask = watched['data_samples'].gt_sem_seg.data[0]
    assert torch.equal(mask, (_pixels(roots[1], 2)[0] % 3).long())
    assert _same(plain['inputs'], watched['inputs'])


def test_monitoring_masks_are_read_as_those_of_the_labelled_set(roots):
    labelled = dict(
        labelled_cfg(roots[0]),
        metainfo=dict(classes=('b', 'a'), palette=[[0] * 3, [9] * 3]),
    )

    @DATASETS.register_module(name='Three', force=True)
    class Three(DATASETS.get('BaseSegDataset')):
        METAINFO = dict(classes=('a', 'b', 'c'))

    labelled['type'] = 'Three'
    unlabelled = unlabelled_cfg(roots[1], masks=True)
    found = SemiSegDataset(labelled, unlabelled)[Draw(0, (2,), 0)]
    mask = found['unlabelled'][0]['data_samples'].gt_sem_seg.data[0]
    classes = _pixels(roots[1], 2)[0] % 3
    assert torch.equal(mask, torch.tensor([1, 0, 255])[classes.long()])

    labelled = dict(labelled_cfg(roots[0]), reduce_zero_label=True)
    found = SemiSegDataset(labelled, unlabelled)[Draw(0, (2,), 0)]
    mask = found['unlabelled'][0]['data_samples'].gt_sem_seg.data[0]
    assert torch.equal(mask, torch.tensor([255, 0, 1])[classes.long()])


def test_monitoring_masks_change_no_random_number(roots):
    for seed in range(4):
        draw = Draw(1, (3,), seed)
        a = _build(roots, RANDOM, VIEWS)[draw]['unlabelled'][0]['inputs']
        b = _build(roots, RANDOM, VIEWS, True)[draw]['unlabelled'][0]['inputs']
        assert _same(a, b)


def test_whole_image_is_loaded_without_augmentation(roots):
    item = _build(roots, RANDOM, VIEWS).load_image(
        str(roots[1] / 'img' / '3.png')
    )
    assert torch.equal(item['inputs'], _pixels(roots[1], 3))
    assert item['data_samples'].ori_shape == (8, 10)


def test_metainfo_is_of_the_labelled_set(roots):
    assert _build(roots).metainfo['classes'] == ('road', 'tree', 'sky')


def test_lazy_init_finds_the_images_later(roots):
    dataset = _build(roots, lazy_init=True)
    assert not dataset._fully_initialized
    dataset.full_init()
    assert len(dataset) == 5


def test_is_registered(roots):
    dataset = DATASETS.build(
        dict(
            type='SemiSegDataset',
            labelled=labelled_cfg(roots[0]),
            unlabelled=unlabelled_cfg(roots[1]),
        )
    )
    assert isinstance(dataset, SemiSegDataset)


@pytest.mark.parametrize('k', [0, -1])
def test_k_below_one_is_an_error(roots, k):
    with pytest.raises(ValueError, match=f'dataset.k.*{k}'):
        _build(roots, k=k)


def test_empty_labelled_set_is_an_error(roots):
    for path in (roots[0] / 'img').iterdir():
        path.unlink()
    for serialized in (True, False):
        labelled = labelled_cfg(roots[0], serialize_data=serialized)
        with pytest.raises(ValueError, match='labelled set is empty.*ann_fi'):
            SemiSegDataset(labelled, unlabelled_cfg(roots[1]))


def test_missing_mask_is_an_error_that_names_it(roots):
    (roots[0] / 'ann' / '2.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'ann/2\.png'):
        _build(roots)


def test_overlap_is_an_error_unless_allowed(roots):
    both = (roots[1], roots[1])
    with pytest.raises(ValueError, match='5 images.*allow_overlap'):
        _build(both)
    assert len(_build(both, allow_overlap=True)) == 5


def test_overlap_is_found_through_links(roots):
    (roots[1] / 'img' / 'link.png').symlink_to(roots[0] / 'img' / '0.png')
    with pytest.raises(ValueError, match='1 images'):
        _build(roots)


def test_crop_that_needs_labels_is_refused_without_labels(roots):
    crop = dict(type='RandomCrop', crop_size=(4, 4), cat_max_ratio=0.75)
    with pytest.raises(ValueError, match='cat_max_ratio=1.0'):
        SemiSegDataset(
            labelled=labelled_cfg(roots[0], [crop]),
            unlabelled=unlabelled_cfg(roots[1], [crop]),
        )
    SemiSegDataset(
        labelled=labelled_cfg(roots[0], [crop]),
        unlabelled=unlabelled_cfg(roots[1]),
    )


def test_label_outside_of_the_classes_is_an_error(roots):
    mask = np.full((8, 10), 3, np.uint8)
    cv2.imwrite(str(roots[0] / 'ann' / '1.png'), mask)
    dataset = _build(roots)
    dataset[Draw(0, (0,), 0)]
    with pytest.raises(RuntimeError, match=r'img/1\.png.*\[3\]'):
        dataset[Draw(1, (0,), 0)]


def test_broken_image_is_an_error_that_names_it(roots):
    (roots[1] / 'img' / '4.png').write_bytes(b'no image')
    with pytest.raises(RuntimeError, match=r'cannot load .*img/4\.png'):
        _build(roots, max_unreadable=0)[Draw(0, (4,), 0)]


def test_pipeline_that_drops_an_item_is_an_error(roots, monkeypatch):
    dataset = _build(roots)
    monkeypatch.setattr(dataset.labelled, 'pipeline', lambda info: None)
    with pytest.raises(RuntimeError, match=r'returned None for .*0\.png'):
        dataset[Draw(0, (0,), 0)]


def joined(*parts):
    return dict(type='ConcatDataset', datasets=list(parts))


def test_sets_of_several_folders(roots, tmp_path):
    write_images(tmp_path / 'm', 2, seed=3)
    write_images(tmp_path / 'v', 4, seed=4)
    zero = dict(labelled_cfg(tmp_path / 'm'), data_root=str(tmp_path / 'm'))
    dataset = SemiSegDataset(
        labelled=joined(labelled_cfg(roots[0]), zero),
        unlabelled=joined(
            unlabelled_cfg(roots[1], masks=True),
            unlabelled_cfg(tmp_path / 'v', RANDOM, masks=True),
        ),
    )
    assert len(dataset) == 9
    assert dataset.metainfo['classes'] == ('road', 'tree', 'sky')
    item = dataset[Draw(3, (2,), 0)]
    assert torch.equal(item['labelled']['inputs'], _pixels(tmp_path / 'm', 0))
    weak = item['unlabelled'][0]['inputs']['weak']
    assert torch.equal(weak, _pixels(roots[1], 2))
    # Each part of the joined set uses its own pipeline.
    (cropped,) = dataset[Draw(0, (5,), 0)]['unlabelled']
    assert cropped['inputs']['weak'].shape == (3, 5, 5)
    assert cropped['data_samples'].img_path == str(tmp_path / 'v/img/0.png')
    nested = SemiSegDataset(
        labelled=joined(joined(labelled_cfg(roots[0]), zero), zero),
        unlabelled=joined(joined(unlabelled_cfg(roots[1]))),
    )
    item = nested[Draw(5, (4,), 0)]
    assert torch.equal(item['labelled']['inputs'], _pixels(tmp_path / 'm', 0))
    both = dict(unlabelled=joined(unlabelled_cfg(roots[1])))
    with pytest.raises(ValueError, match='5 images are labelled and unlab'):
        SemiSegDataset(joined(zero, labelled_cfg(roots[1])), **both)
    cv2.imwrite(str(tmp_path / 'm/ann/1.png'), np.full((8, 10), 9, np.uint8))
    with pytest.raises(RuntimeError, match=r'm/ann/1.png. holds \[9\]'):
        dataset[Draw(4, (0,), 0)]


def test_a_broken_image_of_a_folder_that_is_read_in_its_own_way(
    roots, tmp_path
):
    """Such as multi-band files beside usual ones."""
    write_images(tmp_path / 'v', 4, seed=4)
    other = unlabelled_cfg(tmp_path / 'v')
    other['pipeline'][0]['imdecode_backend'] = 'pillow'
    dataset = SemiSegDataset(
        labelled=labelled_cfg(roots[0]),
        unlabelled=joined(unlabelled_cfg(roots[1]), other),
        max_unreadable=0.2,
    )
    seen = []
    first, second = (part.pipeline for part in dataset.unlabelled.datasets)
    first.transforms.insert(0, lambda results: seen.append(results))
    (tmp_path / 'v/img/1.png').write_bytes(b'no image')
    (item,) = dataset[Draw(0, (6,), 0)]['unlabelled']
    assert item['data_samples'].img_path == str(tmp_path / 'v/img/2.png')
    assert not seen and str(tmp_path / 'v/img/1.png') in dataset.unreadable


@pytest.mark.parametrize('name', ['labelled', 'unlabelled'])
def test_repeated_sets_are_refused(roots, name):
    sets = dict(
        labelled=labelled_cfg(roots[0]), unlabelled=unlabelled_cfg(roots[1])
    )
    sets[name] = dict(type='RepeatDataset', times=2, dataset=sets[name])
    with pytest.raises(TypeError, match=f'dataset.{name} must be .*RepeatD'):
        SemiSegDataset(**sets)


@pytest.mark.parametrize('part', ['labelled', 'unlabelled', 'whole'])
def test_a_jpeg_that_is_cut_off_is_no_image_of_any_part(tmp_path, part):
    for name in ('labelled', 'unlabelled'):
        write_images(tmp_path / name, 1)
    cut = 'labelled' if part == 'labelled' else 'unlabelled'
    path = tmp_path / cut / 'img' / '0.jpg'
    path.with_suffix('.png').unlink()
    noise = np.random.default_rng(0).integers(0, 255, (8, 10, 3), np.uint8)
    content = cv2.imencode('.jpg', noise)[1].tobytes()
    path.write_bytes(content[: -len(content) // 8])
    labelled = labelled_cfg(tmp_path / 'labelled')
    if part == 'labelled':
        labelled['img_suffix'] = '.jpg'
    dataset = SemiSegDataset(
        labelled, unlabelled_cfg(tmp_path / 'unlabelled'), max_unreadable=0.0
    )
    with pytest.raises((RuntimeError, ValueError), match='is damaged'):
        if part == 'whole':
            dataset.load_image(str(path))
        else:
            dataset[0]
