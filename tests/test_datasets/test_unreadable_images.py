"""Unlabelled images that cannot be read are replaced, and counted."""

import logging

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from rml_mmseg.datasets import (
    Draw,
    PhotometricRandAugment,
    SemiSegDataset,
)
from rml_mmseg.datasets.unreadable_images import UnreadableImages
from tests.toys import (
    labelled_cfg,
    toy_model_cfg,
    toy_runner,
    unlabelled_cfg,
    write_images,
)


@pytest.fixture
def roots(tmp_path):
    write_images(tmp_path / 'labelled', 3, seed=1)
    write_images(tmp_path / 'unlabelled', 5, seed=2)
    return tmp_path


def build(roots, **settings):
    return SemiSegDataset(
        labelled_cfg(roots / 'labelled'),
        unlabelled_cfg(roots / 'unlabelled'),
        **settings,
    )


def spoil(roots, *numbers, part='unlabelled'):
    for number in numbers:
        (roots / part / 'img' / f'{number}.png').write_bytes(b'no image')


def names(item):
    return [p['data_samples'].img_path.split('/')[-1] for p in item]


def test_the_next_one_takes_its_place(roots):
    spoil(roots, 1, 4)
    dataset = build(roots, max_unreadable=0.4)
    for index, expected in ((0, '0'), (1, '2'), (4, '0'), (1, '2')):
        item = dataset[Draw(0, (index,), seed=7)]
        assert names(item['unlabelled']) == [f'{expected}.png']
    assert len(dataset.unreadable.problems) == 2


def test_it_is_named_once(roots):
    spoil(roots, 1)
    dataset = build(roots)
    lines = []
    logger = MMLogger.get_current_instance()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    for _ in range(3):
        dataset[Draw(0, (1,), seed=7)]
    logger.removeHandler(handler)
    (line,) = lines
    assert 'unlabelled/img/1.png' in line
    assert '1 of 5 so far; the run stops at more than 1' in line


def test_past_the_limit_it_stops(roots):
    spoil(roots, 1, 3)
    dataset = build(roots)
    dataset[Draw(0, (1,), seed=7)]
    with pytest.raises(RuntimeError, match=r'3\.png.*max_unreadable allows 1'):
        dataset[Draw(0, (3,), seed=7)]


def test_zero_stops_at_the_first(roots):
    spoil(roots, 1)
    with pytest.raises(RuntimeError, match=r'1\.png'):
        build(roots, max_unreadable=0)[Draw(0, (1,), seed=7)]


def test_labelled_images_are_never_replaced(roots):
    spoil(roots, 1, part='labelled')
    with pytest.raises(RuntimeError, match=r'labelled/img/1\.png'):
        build(roots, max_unreadable=1.0)[Draw(1, (0,), seed=7)]


def test_a_fault_of_the_pipeline_is_not_hidden(roots, monkeypatch):
    dataset = build(roots, max_unreadable=1.0)

    def fail(results):
        raise ZeroDivisionError('a bug')

    dataset.unlabelled.pipeline.transforms.append(fail)
    with pytest.raises(RuntimeError, match='a bug'):
        dataset[Draw(0, (1,), seed=7)]
    assert not dataset.unreadable.problems


class LoadArray(LoadImageFromFile):
    """Reads files that are not images."""

    def transform(self, results):
        image = np.load(results['img_path'])
        size = image.shape[:2]
        return dict(results, img=image, img_shape=size, ori_shape=size)


class AddBand(BaseTransform):
    """A step that needs what one before it has loaded."""

    def transform(self, results):
        image = results['img'].astype(np.float32)
        return dict(results, img=np.concatenate([image, image[..., :1]], 2))


def test_loaders_of_ones_own(roots):
    """A subclass of the stock loader may read any file."""
    dataset = build(roots, max_unreadable=1.0)
    steps = dataset.unlabelled.pipeline.transforms
    files = roots / 'unlabelled/img'
    for path in files.iterdir():
        with open(path, 'wb') as file:
            np.save(file, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(RuntimeError, match='no unlabelled image can be read'):
        dataset[Draw(0, (1,), seed=7)]
    dataset = build(roots, max_unreadable=1.0)
    steps = dataset.unlabelled.pipeline.transforms
    del steps[0]
    steps[0] = LoadArray()
    assert len(dataset[Draw(0, (1,), seed=7)]['unlabelled']) == 1
    # An error after loading is not the fault of the file.
    steps.insert(1, AddBand())
    steps.insert(2, PhotometricRandAugment())
    with pytest.raises(
        RuntimeError, match=r'got float32 of shape \(8, 8, 4\)'
    ):
        dataset[Draw(0, (1,), seed=7)]
    assert not dataset.unreadable.problems


def test_draws_go_on_as_they_would(roots):
    """The replacing image gets the same augmentation as if drawn itself."""
    spoil(roots, 1)
    dataset = build(roots)
    first = dataset[Draw(0, (1,), seed=7)]
    again = dataset[Draw(0, (1,), seed=7)]
    direct = dataset[Draw(0, (2,), seed=7)]
    for other in (again, direct):
        pairs = zip(first['unlabelled'], other['unlabelled'])
        for a, b in pairs:
            assert torch.equal(a['inputs']['weak'], b['inputs']['weak'])


@pytest.mark.parametrize('share', [-0.1, 1.1])
def test_share_out_of_range(roots, share):
    with pytest.raises(ValueError, match=rf'max_unreadable.*{share}'):
        build(roots, max_unreadable=share)


def test_share_is_rounded_up():
    limits = [UnreadableImages(n, 0.01).limit for n in (0, 1, 100, 101)]
    assert limits == [0, 1, 1, 2]
    # 7.000000000000001 of floating point.
    assert UnreadableImages(100, 0.07).limit == 7


def test_workers_replace_too(roots):
    spoil(roots, 1)
    dataset = build(roots)
    draws = [Draw(0, (i,), seed=i) for i in range(5)]
    loader = DataLoader(dataset, sampler=draws, batch_size=None, num_workers=2)
    found = [names(item['unlabelled'])[0] for item in loader]
    assert found == ['0.png', '2.png', '2.png', '3.png', '4.png']


@pytest.mark.parametrize('p0', ['online', 'stage'])
def test_a_run_goes_on(roots, p0):
    spoil(roots, 1)
    runner = toy_runner(roots, model=toy_model_cfg(semi_train_cfg=dict(p0=p0)))
    runner.train()
    assert runner.iter == 4
    dataset = runner.train_dataloader.dataset
    assert [path[-5:] for path in dataset.unreadable.problems] == ['1.png']


@pytest.mark.parametrize('name', ['../secret', '/etc/passwd', 'a/../../b'])
def test_lists_of_labelled_images_stay_in_their_folder(roots, name):
    (roots / 'list.txt').write_text(f'0\n{name}\n')
    labelled = labelled_cfg(roots / 'labelled')
    labelled['ann_file'] = str(roots / 'list.txt')
    with pytest.raises(ValueError, match=r'list\.txt.*leaves the folder'):
        SemiSegDataset(labelled, unlabelled_cfg(roots / 'unlabelled'))


def test_names_with_dots_inside_of_the_folder_pass(roots):
    (roots / 'list.txt').write_text('./0\n')
    labelled = labelled_cfg(roots / 'labelled')
    labelled['ann_file'] = str(roots / 'list.txt')
    dataset = SemiSegDataset(labelled, unlabelled_cfg(roots / 'unlabelled'))
    assert len(dataset.labelled) == 1
