import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import pytest

from rml_mmseg.datasets import TexturedScenesDataset
from rml_mmseg.datasets.scene_classes import SCENE_CLASSES
from rml_mmseg.datasets.scene_generator import SceneGenerator
from rml_mmseg.datasets.scene_shapes import SHAPES, fill, turn
from rml_mmseg.datasets.scene_textures import TEXTURES, Patch
from rml_mmseg.datasets.scene_writer import (
    choose_labelled,
    digest,
    write_textured_scenes,
)

SMALL = dict(train=30, test=3, labelled=8, height=48, width=64)


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'scenes'
    assert write_textured_scenes(root, **SMALL)
    return root


def _scene_bytes(index):
    image, mask = SceneGenerator(3).generate('train', index)
    return image.tobytes() + mask.tobytes()


def test_scene_depends_on_seed_split_and_index_alone():
    generator = SceneGenerator(3)
    generator.generate('train', 0)
    image, mask = generator.generate('train', 5)
    again, mask_again = SceneGenerator(3).generate('train', 5)
    assert np.array_equal(image, again) and np.array_equal(mask, mask_again)
    for other in (
        SceneGenerator(4).generate('train', 5)[0],
        generator.generate('train', 6)[0],
        generator.generate('test', 5)[0],
    ):
        assert not np.array_equal(image, other)


def test_scene_is_equal_bit_for_bit_in_another_process():
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as pool:
        assert pool.submit(_scene_bytes, 7).result() == _scene_bytes(7)


def test_scene_format():
    image, mask = SceneGenerator(0, height=40, width=56).generate('test', 1)
    assert image.shape == (40, 56, 3) and image.dtype == np.uint8
    assert mask.shape == (40, 56) and mask.dtype == np.uint8
    assert mask.max() < len(SCENE_CLASSES)


def test_classes_are_imbalanced_and_gem_is_rare():
    generator = SceneGenerator(0)
    masks = np.stack([generator.generate('train', i)[1] for i in range(60)])
    share = np.bincount(masks.ravel(), minlength=7) / masks.size
    assert 0.4 < share[0] < 0.7
    assert 0.002 < share[6] < 0.5 * share[1:6].min()


@pytest.mark.parametrize('name', TEXTURES)
def test_texture_is_a_bounded_pattern(name):
    y, x = np.mgrid[:40, :30].astype(float)
    patch = Patch(y, x, 6.0, 0.7, np.random.default_rng(0))
    pattern = TEXTURES[name](patch)
    assert pattern.shape == (40, 30)
    assert pattern.min() >= 0 and pattern.max() <= 1
    assert pattern.std() > 0.05


@pytest.mark.parametrize('name', SHAPES)
def test_shape_lies_around_its_centre(name):
    vertices = turn(SHAPES[name](20.0, np.random.default_rng(0)), 0.3)
    inside = fill(vertices, np.array([60.0, 50.0]), 100, 120)
    assert inside[50, 60]
    assert not inside[0].any() and not inside[:, 0].any()
    assert 200 < inside.sum() < 1.7 * np.pi * 20**2


def test_fill_covers_square_with_its_border():
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    expected = np.zeros((5, 6), dtype=bool)
    expected[1:4, 2:5] = True
    assert np.array_equal(fill(square, np.array([3.0, 2.0]), 5, 6), expected)


def test_bad_generator_settings_are_named():
    with pytest.raises(ValueError, match='seed must be .* 0 or more.*-1'):
        SceneGenerator(-1)
    with pytest.raises(ValueError, match='at least 32 pixels.*16 and 96'):
        SceneGenerator(0, height=16)
    with pytest.raises(ValueError, match="split='val' is unknown"):
        SceneGenerator(0).generate('val', 0)


def test_choose_labelled_shows_every_class():
    pixels = np.zeros((20, 3), dtype=int)
    pixels[:, 0] = 500
    pixels[4, 1] = pixels[11, 2] = 100
    chosen = choose_labelled(pixels, 5, np.random.default_rng(0))
    assert {4, 11} <= set(chosen) and len(set(chosen)) == 5
    assert (np.diff(chosen) > 0).all()
    pixels[11, 2] = 99
    with pytest.raises(ValueError, match='labelled=5 of 20 images'):
        choose_labelled(pixels, 5, np.random.default_rng(0))


def test_lists_partition_the_training_images(scenes):
    lists = {
        name: (scenes / 'splits' / f'{name}.txt').read_text().split()
        for name in ('labelled', 'unlabelled', 'train', 'test')
    }
    assert len(lists['labelled']) == 8
    assert not set(lists['labelled']) & set(lists['unlabelled'])
    assert sorted(lists['labelled'] + lists['unlabelled']) == lists['train']
    shown = set()
    for name in lists['labelled']:
        mask = cv2.imread(f'{scenes}/ann_dir/train/{name}.png', -1)
        shown |= set(np.unique(mask))
    assert shown == set(range(len(SCENE_CLASSES)))


def test_written_files_hold_the_generated_scene(scenes):
    image, mask = SceneGenerator(0, 48, 64).generate('test', 2)
    path = 'test/scene_0002.png'
    stored = cv2.imread(str(scenes / 'img_dir' / path))[..., ::-1]
    assert np.array_equal(stored, image)
    assert np.array_equal(cv2.imread(str(scenes / 'ann_dir' / path), -1), mask)
    provenance = json.loads((scenes / 'provenance.json').read_text())
    assert provenance['settings']['seed'] == 0
    assert provenance['sha256'] == digest(scenes)


def test_writing_again_does_nothing_unless_something_is_wrong(tmp_path):
    out = tmp_path / 'scenes'
    settings = dict(SMALL, train=20, test=1)
    assert write_textured_scenes(out, **settings)
    sums = digest(out)
    assert not write_textured_scenes(out, **settings)

    (out / 'img_dir' / 'train' / 'scene_0003.png').unlink()
    assert write_textured_scenes(out, **settings)
    assert digest(out) == sums

    broken = out / 'ann_dir' / 'test' / 'scene_0000.png'
    broken.write_bytes(broken.read_bytes()[:40])
    assert write_textured_scenes(out, **settings)
    assert digest(out) == sums

    assert write_textured_scenes(out, seed=1, **settings)
    assert digest(out) != sums
    assert [path.name for path in tmp_path.iterdir()] == ['scenes']


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='holds files but no'):
        write_textured_scenes(tmp_path, **SMALL)
    assert (tmp_path / 'notes.txt').read_text() == 'mine'


def test_labelled_must_fit(tmp_path):
    with pytest.raises(ValueError, match='between 1 and train=4.*is 5'):
        write_textured_scenes(tmp_path / 'a', train=4, labelled=5)


def test_dataset_reads_scenes(scenes):
    dataset = TexturedScenesDataset(
        data_root=str(scenes),
        ann_file='splits/labelled.txt',
        data_prefix=dict(
            img_path='img_dir/train', seg_map_path='ann_dir/train'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg.LoadAnnotations'),
        ],
    )
    assert len(dataset) == 8
    assert dataset.metainfo['classes'][6] == 'gem'
    item = dataset[0]
    assert item['img'].shape == (48, 64, 3)
    mask = cv2.imread(item['seg_map_path'], -1)
    assert np.array_equal(item['gt_seg_map'], mask)


def test_missing_scenes_say_how_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match='make_textured_scenes.py'):
        TexturedScenesDataset(
            data_root=str(tmp_path / 'none'),
            data_prefix=dict(img_path='img_dir/train'),
        )
