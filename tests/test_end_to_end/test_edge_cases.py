"""Rare but allowed cases train, and behave as documented."""

import cv2
import numpy as np
import pytest
import torch

from tests.toys import (
    labelled_cfg,
    semi_loader,
    total,
    toy_batch,
    toy_model_cfg,
    toy_mutual,
    toy_runner,
    toy_segmentor,
    unlabelled_cfg,
    write_images,
)

METAINFO = dict(classes=[str(k) for k in range(255)])


def train(folder, iterations=2, **settings):
    """Train, and check that every network stays finite."""
    losses = []
    runner = toy_runner(
        folder,
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=iterations,
            val_interval=100,
        ),
        **settings,
    )
    step = runner.model.train_step

    def noted(*args, **kwargs):
        losses.append(step(*args, **kwargs))
        return losses[-1]

    runner.model.train_step = noted
    runner.train()
    for name, value in runner.model.state_dict().items():
        assert value.float().isfinite().all(), name
    assert len(losses) == iterations
    assert all(v.isfinite() for part in losses for v in part.values())
    return runner


def paint(folder, function, count):
    """Replace the masks of a toy set by what a function gives."""
    for i in range(count):
        path = str(folder / 'ann' / f'{i}.png')
        mask = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        cv2.imwrite(path, function(mask))


def test_class_that_no_labelled_image_shows(tmp_path):
    write_images(tmp_path / 'labelled', 3, seed=3)
    paint(tmp_path / 'labelled', lambda mask: mask % 2, 3)
    runner = train(tmp_path)
    # Pixels that teachers assign to the class make its prototype, if any do.
    for rectifier in runner.model.rectifiers:
        known = rectifier.initialised
        assert known.any()
        assert rectifier.prototypes[~known].abs().sum() == 0


def test_labelled_batch_without_a_labelled_pixel(tmp_path):
    write_images(tmp_path / 'labelled', 3, seed=3)
    paint(tmp_path / 'labelled', lambda mask: mask * 0 + 255, 3)
    runner = train(tmp_path, model=toy_model_cfg(semi_train_cfg=None))
    assert runner.iter == 2


def test_unlabelled_batch_without_a_valid_pixel():
    model = toy_mutual()
    inputs, samples = toy_batch()
    inputs['valid'][:] = False
    before = [unit.prototypes.clone() for unit in model.rectifiers]
    losses = model.loss(inputs, samples)
    for name, value in losses.items():
        assert torch.as_tensor(value).isfinite().all(), name
    pseudo = {k: float(v) for k, v in losses.items() if '.loss_' in k}
    pseudo = {k: v for k, v in pseudo.items() if 'decode' not in k}
    assert len(pseudo) == 4 and set(pseudo.values()) == {0.0}, losses.keys()
    total(losses).backward()
    for unit, old in zip(model.rectifiers, before):
        unit.update()
        assert torch.equal(unit.prototypes, old)


def test_all_pixels_below_the_confidence(tmp_path):
    model = toy_model_cfg(semi_train_cfg=dict(confidence=0.9999))
    runner = train(tmp_path, model=model)
    alone = toy_model_cfg(semi_train_cfg=dict(unsup_weight=0.0))
    other = train(tmp_path, model=alone)
    pairs = zip(
        runner.model.students.parameters(), other.model.students.parameters()
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b)


def classes_cfg(folder, count):
    segmentors = [toy_segmentor(num_classes=count) for _ in range(2)]
    meta = dict(classes=METAINFO['classes'][:count], palette=[[0] * 3] * count)
    return dict(
        model=toy_model_cfg(segmentors=segmentors),
        train_dataloader=semi_loader(
            dict(labelled_cfg(folder / 'labelled'), metainfo=meta),
            unlabelled_cfg(folder / 'unlabelled'),
        ),
    )


@pytest.mark.parametrize('p0', ['online', 'stage'])
@pytest.mark.parametrize('count', [2, 255])
def test_number_of_classes(tmp_path, count, p0):
    write_images(tmp_path / 'labelled', 3, seed=3)
    paint(
        tmp_path / 'labelled',
        lambda mask: (np.arange(mask.size) % count).reshape(mask.shape),
        3,
    )
    settings = classes_cfg(tmp_path, count)
    settings['model']['semi_train_cfg'] = dict(p0=p0)
    runner = train(tmp_path, **settings)
    assert runner.model.num_classes == count


def test_one_class(tmp_path):
    # Its softmax is 1 everywhere, so that pseudo labels would teach nothing.
    segmentors = [toy_segmentor(num_classes=1) for _ in range(2)]
    with pytest.raises(ValueError, match='num_classes must be 2 or more'):
        toy_runner(tmp_path, model=toy_model_cfg(segmentors=segmentors))


def test_more_classes_than_labels(tmp_path):
    segmentors = [toy_segmentor(num_classes=256) for _ in range(2)]
    with pytest.raises(ValueError, match='num_classes.*at most 255.*256'):
        toy_runner(tmp_path, model=toy_model_cfg(segmentors=segmentors))


def test_image_one_pixel_high_is_refused(tmp_path):
    # Stock loading of masks squeezes away a side of one pixel.
    write_images(tmp_path / 'labelled', 3, (1, 9), seed=3)
    with pytest.raises(RuntimeError, match=r'mask .* the shape \(9,\)'):
        train(tmp_path)


@pytest.mark.parametrize('size', [(2, 2), (3, 5), (7, 64), (33, 17)])
def test_images_smaller_than_the_crop_and_of_odd_sizes(tmp_path, size):
    for name, count in (('labelled', 3), ('unlabelled', 5)):
        write_images(tmp_path / name, count, size, seed=count)
    crop = (16, 16)
    model = toy_model_cfg()
    model['data_preprocessor']['size'] = crop
    steps = [
        dict(type='RandomCrop', crop_size=crop),
        dict(type='RandomFlip', prob=0.5),
    ]
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='SemiSegSampler'),
        dataset=dict(
            type='SemiSegDataset',
            labelled=labelled_cfg(tmp_path / 'labelled', steps),
            unlabelled=unlabelled_cfg(tmp_path / 'unlabelled', steps),
        ),
    )
    runner = train(tmp_path, model=model, train_dataloader=loader)
    batch = next(iter(runner.train_dataloader))
    done = runner.model.data_preprocessor(batch, training=True)
    inputs = done['inputs']
    assert inputs['weak'].shape[-2:] == crop
    inside = min(size[0], 16) * min(size[1], 16)
    assert inputs['valid'].flatten(1).sum(1).tolist() == [inside] * 2
