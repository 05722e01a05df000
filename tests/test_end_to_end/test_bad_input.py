"""Bad input stops before or at the first batch, and says what is wrong."""

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner


def train(cfg):
    """Train, and check that no iteration was done before it failed."""
    runner = Runner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        # Runner builds its loop when it reads the data sets.
        loop = runner._train_loop
        assert isinstance(loop, dict) or loop.iter == 0


def write_mask(path, mask):
    cv2.imwrite(str(path), mask.astype(np.uint8))


def check(cfg, *parts):
    with pytest.raises(Exception) as caught:
        train(cfg)
    message = str(caught.value)
    for part in parts:
        assert str(part) in message
    return message


@pytest.mark.parametrize('part', ['labelled', 'unlabelled'])
def test_missing_folder(tiny_config, tmp_path, part):
    gone = tmp_path / 'gone'
    cfg = tiny_config(
        {
            f'train_dataloader.dataset.{part}.data_root': str(gone),
            f'train_dataloader.dataset.{part}.ann_file': '',
        }
    )
    check(cfg, gone / 'img_dir/train')


@pytest.mark.parametrize('part', ['labelled', 'unlabelled'])
def test_missing_list(tiny_config, tiny_data, part):
    cfg = tiny_config(
        {f'train_dataloader.dataset.{part}.ann_file': 'gone.txt'}
    )
    check(cfg, 'ann_file', tiny_data / 'gone.txt')


@pytest.mark.parametrize('serialize', [True, False])
@pytest.mark.parametrize('part', ['labelled', 'unlabelled'])
def test_empty_list(tiny_config, tiny_data, part, serialize):
    (tiny_data / f'{part}.txt').write_text('')
    cfg = tiny_config(
        {f'train_dataloader.dataset.{part}.serialize_data': serialize}
    )
    check(cfg, part, 'ann_file', tiny_data / f'{part}.txt')


def test_labelled_image_without_mask(tiny_config, tiny_data):
    mask = tiny_data / 'ann_dir/train/02.png'
    mask.unlink()
    check(tiny_config(), tiny_data / 'img_dir/train/02.png', mask, 'suffix')


def test_listed_image_that_is_missing(tiny_config, tiny_data):
    image = tiny_data / 'img_dir/train/03.png'
    image.unlink()
    check(tiny_config(), image)


def test_mask_value_outside_of_the_classes(tiny_config, tiny_data):
    for i in range(4):
        write_mask(
            tiny_data / f'ann_dir/train/{i:02}.png', np.full((48, 64), 7)
        )
    check(
        tiny_config(),
        tiny_data / 'ann_dir/train/0',
        '[7]',
        '4 classes (0 to 3',
    )


def test_mask_of_another_size(tiny_config, tiny_data):
    for i in range(4):
        write_mask(tiny_data / f'ann_dir/train/{i:02}.png', np.ones((24, 32)))
    message = check(tiny_config(), tiny_data / 'ann_dir/train/0')
    assert '(24, 32)' in message and '(48, 64)' in message


@pytest.mark.parametrize('initialise', [True, False])
@pytest.mark.parametrize('names', [range(4), range(4, 10)])
def test_unreadable_image(tiny_config, tiny_data, names, initialise):
    for i in names:
        (tiny_data / f'img_dir/train/{i:02}.png').write_bytes(b'no image')
    cfg = tiny_config({'train_cfg.initialise': initialise})
    check(cfg, tiny_data / 'img_dir/train/0')


def test_overlap(tiny_config, tiny_data):
    with (tiny_data / 'unlabelled.txt').open('a') as file:
        file.write('\n03')
    check(
        tiny_config(),
        tiny_data / 'img_dir/train/03.png',
        'unlabelled.ann_file',
        'allow_overlap',
    )


@pytest.mark.parametrize('count', [3, 5])
def test_wrong_number_of_classes(tiny_config, count):
    cfg = tiny_config()
    for segmentor in cfg.model.segmentors:
        segmentor.decode_head.num_classes = count
    check(cfg, f'num_classes of model.segmentors is {count}', '4 classes')


def test_students_with_other_classes(tiny_config):
    cfg = tiny_config()
    cfg.model.segmentors[1].decode_head.num_classes = 5
    check(cfg, 'model.segmentors', 'num_classes', '[4, 5]')


@pytest.mark.parametrize('name', ['teacher.0', 'teachers.2', 'best'])
def test_unknown_predict_on(tiny_config, name):
    cfg = tiny_config({'model.test_cfg.predict_on': name})
    check(cfg, 'model.test_cfg.predict_on', repr(name), "'teachers.1'")


def test_batch_of_one_with_cutmix(tiny_config):
    cfg = tiny_config({'train_dataloader.batch_size': 1})
    check(cfg, 'CutMix', 'train_dataloader.batch_size=1')


def test_batch_of_one_with_two_unlabelled_images_trains(tiny_config):
    options = {'train_dataloader.batch_size': 1}
    options['train_dataloader.dataset.k'] = 2
    options['train_cfg.iters_per_stage'] = 1
    runner = Runner.from_cfg(tiny_config(options))
    runner.train()
    assert runner.iter == 1


def test_no_ema_hook(tiny_config):
    check(tiny_config({'custom_hooks': []}), 'MutualEMAHook', 'custom_hooks')


def test_unlabelled_images_that_are_all_missing(tiny_config, tiny_data):
    cfg = tiny_config({'train_dataloader.dataset.unlabelled.img_suffix': '.x'})
    check(cfg, tiny_data / 'img_dir/train/04.x', 'first 6', "img_suffix='.x'")


@pytest.mark.parametrize('part', ['labelled', 'unlabelled'])
@pytest.mark.parametrize('crop', [False, True])
def test_images_larger_than_the_preprocessor_pads_to(tiny_config, part, crop):
    cfg = tiny_config()
    dataset = cfg.train_dataloader.dataset[part]
    if crop:
        # Sides the wrong way round, of images that are larger and smaller.
        cfg.model.data_preprocessor.size = (16, 48)
    else:
        dataset.pipeline = [
            step for step in dataset.pipeline if step.type != 'RandomCrop'
        ]
    with pytest.raises(ValueError, match='larger than model.data_p'):
        Runner.from_cfg(cfg).train()


def steps(cfg, part):
    return cfg.train_dataloader.dataset[part].pipeline


@pytest.mark.parametrize(
    ('change', 'parts'),
    [
        (
            lambda cfg: steps(cfg, 'labelled').pop(1),
            ['labelled.pipeline gives no masks', 'LoadAnnotations'],
        ),
        (
            lambda cfg: steps(cfg, 'labelled').pop(),
            ['labelled.pipeline gives no inputs', 'PackSegInputs'],
        ),
        (
            lambda cfg: steps(cfg, 'unlabelled').insert(
                1, dict(type='LoadAnnotations')
            ),
            ['unlabelled.pipeline: LoadAnnotations reads masks'],
        ),
        (
            lambda cfg: steps(cfg, 'unlabelled').__setitem__(
                -1, dict(type='PackSegInputs')
            ),
            ['unlabelled.pipeline gives no weak', 'PackSemiSegInputs'],
        ),
        (
            lambda cfg: cfg.merge_from_dict(
                {'train_dataloader.dataset.image_pipeline': IMAGE_PIPELINES[0]}
            ),
            ['dataset.image_pipeline: LoadAnnotations reads masks'],
        ),
        (
            lambda cfg: cfg.merge_from_dict(
                {'train_dataloader.dataset.image_pipeline': IMAGE_PIPELINES[1]}
            ),
            ['dataset.image_pipeline gives no inputs', 'LoadImageFromFile'],
        ),
    ],
)
def test_pipelines_that_lack_a_step(tiny_config, change, parts):
    cfg = tiny_config()
    change(cfg)
    check(cfg, *parts)


IMAGE_PIPELINES = [
    [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ],
    [dict(type='PackSegInputs')],
]


def test_weights_of_other_classes(tiny_config):
    loss = dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])
    cfg = tiny_config()
    cfg.model.segmentors[1].decode_head.loss_decode = loss
    check(cfg, 'model.segmentors[1]', 'class_weight', '2 values', '=4')


def test_windows_without_a_size(tiny_config):
    cfg = tiny_config({'model.test_cfg.mode': 'slide'})
    check(cfg, "mode='slide' needs crop_size", 'no crop_size and no stride')
    windows = dict(mode='slide', crop_size=(8, 8), stride=(8, 9))
    options = {f'model.test_cfg.{k}': v for k, v in windows.items()}
    check(
        tiny_config(options), 'stride=(8, 9) is larger than crop_size=(8, 8)'
    )
    cfg = tiny_config({'model.test_cfg.mode': 'slid'})
    check(cfg, "model.test_cfg.mode='slid'", "'slide'")


@pytest.mark.parametrize(
    'name', ['stages', 'iters_per_stage', 'val_interval', 'burn_in_iters']
)
@pytest.mark.parametrize('value', ['1', 1.5])
def test_lengths_that_are_not_whole(tiny_config, name, value):
    cfg = tiny_config({f'train_cfg.{name}': value})
    check(cfg, f'train_cfg.{name} must be a whole number', repr(value))
