"""Configs of mmseg for VOC, whose masks are in two folders, by lists."""

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from rml_mmseg.experiments.suites import check_files, load_suite, plan_runs
from tests.test_tools.converter_helpers import photo, save
from tests.test_tools.small_stock import (
    SMALL_DEEPLAB,
    SMALL_PSPNET,
    options,
    train,
)
from tools.dataset_converters import make_splits
from tools.misc import make_semi_config

PSPNET = 'pspnet_r50-d8_4xb4-20k_voc12aug-512x512'
DEEPLAB = 'deeplabv3plus_r50-d8_4xb4-20k_voc12aug-512x512'
SET = 'train_dataloader.dataset'


@pytest.fixture
def voc(tmp_path):
    """Four images of VOC, four of SBD, one for validation, one of no list."""
    root = tmp_path / 'VOC2012'
    names = dict(train='t0 t1 t2 t3', aug='s0 s1 s2 s3', val='v0')
    names['train_aug'] = f'{names["train"]} {names["aug"]}'
    lists = root / 'ImageSets/Segmentation'
    lists.mkdir(parents=True)
    (root / 'JPEGImages').mkdir()
    for name, listed in names.items():
        (lists / f'{name}.txt').write_text('\n'.join(listed.split()) + '\n')
    for i, name in enumerate([*names['train_aug'].split(), 'v0', 'x0']):
        image = Image.fromarray(photo(32, 64, i).astype(np.uint8))
        image.save(root / f'JPEGImages/{name}.jpg')
        if name != 'x0':
            folder = f'SegmentationClass{"Aug" if name[0] == "s" else ""}'
            mask = np.arange(32 * 64).reshape(32, 64) // 512
            save(root / folder / f'{name}.png', mask)
    return root


@pytest.fixture
def lists(tmp_path):
    """Function that writes two lists, and gives the arguments for them."""

    def write(labelled, unlabelled):
        arguments = []
        for title, names in dict(
            labelled=labelled, unlabelled=unlabelled
        ).items():
            path = tmp_path / f'{title}.txt'
            path.write_text(''.join(f'{name}\n' for name in names.split()))
            arguments += [f'--{title}', path]
        return arguments

    return write


def test_deeplab_trains_on_labels_of_voc(voc, lists, tmp_path, call, capsys):
    # Names of unlabelled images may have a suffix.
    call(
        make_semi_config, DEEPLAB, '--data-root', voc,
        *lists('t0 t2', 't1 t3 s0.jpg s1 s2 s3'), '--out', tmp_path / 'a.py',
        '--cfg-options', *options(0, SMALL_DEEPLAB),
        *options(1, SMALL_DEEPLAB),
    )  # fmt: skip
    told = capsys.readouterr().out
    assert '2 labelled and 6 unlabelled images, 2 learners' in told
    dataset = Config.fromfile(tmp_path / 'a.py').train_dataloader.dataset
    assert dataset.labelled.data_prefix.seg_map_path == 'SegmentationClass'
    found = DATASETS.build(dataset.unlabelled)
    assert [found.get_data_info(i)['img_path'] for i in range(6)] == [
        str(voc / f'JPEGImages/{name}.jpg')
        for name in ('t1', 't3', 's0', 's1', 's2', 's3')
    ]
    hub = train(tmp_path / 'a.py', tmp_path)
    for key in ('train/students.1.loss_self', 'val/mIoU'):
        assert np.isfinite(hub.get_scalar(key).data[0][-1]), key


def test_masks_are_looked_for_in_both_folders(voc, lists, tmp_path, call):
    out = tmp_path / 'a.py'

    def make(labelled):
        call(
            make_semi_config, PSPNET, '--data-root', voc, '--force',
            *lists(labelled, 't1'), '--method', 'supervised', '--out', out,
            '--cfg-options', *options(0, SMALL_PSPNET),
        )  # fmt: skip
        cfg = Config.fromfile(out)
        return cfg.train_dataloader.dataset.data_prefix.seg_map_path

    assert make('s0 s3') == 'SegmentationClassAug'
    with pytest.raises(SystemExit) as error:
        make('t0 s0 s3')
    told = str(error.value)
    assert "'SegmentationClass' lacks 2, 'SegmentationClassAug' lacks 1" in (
        told
    )
    assert 'voc_aug.py writes all into SegmentationClassAug' in told
    # As that tool leaves them.
    own, merged = voc / 'SegmentationClass', voc / 'SegmentationClassAug'
    for mask in own.iterdir():
        (merged / mask.name).symlink_to(mask)
    assert make('t0 s0 s3') == 'SegmentationClassAug'
    # VOC's own masks serve its own images.
    assert make('t0') == 'SegmentationClass'


def test_a_folder_gives_images_of_no_list_too(voc, lists, tmp_path, call):
    arguments = lists('t0', '')
    arguments[-1] = voc / 'JPEGImages'
    call(
        make_semi_config, PSPNET, '--data-root', voc, *arguments,
        '--method', 'fixmatch', '--out', tmp_path / 'a.py',
        '--cfg-options', *options(0, SMALL_PSPNET),
    )  # fmt: skip
    names = (tmp_path / 'a_unlabelled.txt').read_text().split()
    assert 'x0.jpg' in names and len(names) == 8


def draw(voc, split, seed):
    lists = voc / 'ImageSets/Segmentation'
    drawn = [
        '--names', lists / 'train.txt', '--count', split, '--seed', seed,
        '--unlabelled-names', lists / 'train_aug.txt',
        '--out', voc / f'splits/{split}_seed{seed}',
    ]  # fmt: skip
    assert make_splits.main([str(part) for part in drawn]) == 0


def test_suite_over_splits_and_seeds(voc, tmp_path, call):
    for split in (1, 2):
        for seed in (0, 1):
            draw(voc, split, seed)
    word = voc / 'splits/{split}_seed{seed}'
    arguments = (
        make_semi_config, PSPNET, '--data-root', voc,
        '--labelled', word / 'labelled.txt',
        '--method', 'supervised', 'classmix', '--splits', 1, 2,
        '--suite', tmp_path / 'compare.py',
        '--cfg-options', *options(0, SMALL_PSPNET),
        '--unlabelled',
    )  # fmt: skip
    with pytest.raises(SystemExit, match='is a folder, but each run leaves'):
        call(*arguments, voc / 'JPEGImages', '--seeds', 0)
    with pytest.raises(SystemExit, match='no list file .*1_seed2/labelled'):
        call(*arguments, word / 'unlabelled.txt', '--seeds', 0, 1, 2)
    assert not list(tmp_path.glob('compare*'))
    call(*arguments, word / 'unlabelled.txt', '--seeds', 0, 1)
    runs = plan_runs(load_suite(tmp_path / 'compare.py'), tmp_path / 'out')
    check_files(runs)
    found = {(run.method, run.split, run.seed): run for run in runs}
    assert len(found) == 8
    options_of = found['supervised', '2', 1].options
    assert options_of[f'{SET}.ann_file'] == 'splits/2_seed1/labelled.txt'
    run = found['classmix', '2', 1]
    cfg = Config.fromfile(run.config)
    cfg.merge_from_dict(run.options)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert (len(dataset.labelled), len(dataset.unlabelled)) == (2, 6)


def test_one_folder_has_the_masks_of_all_runs(voc, tmp_path, call):
    draw(voc, 1, 0)
    other = voc / 'splits/1_seed1'
    other.mkdir()
    (other / 'labelled.txt').write_text('s0\n')
    (other / 'unlabelled.txt').write_text('s1\n')
    word = voc / 'splits/1_seed{seed}'
    with pytest.raises(SystemExit, match='1_seed0.* and other lists are in'):
        call(
            make_semi_config, PSPNET, '--data-root', voc,
            '--labelled', word / 'labelled.txt',
            '--unlabelled', word / 'unlabelled.txt', '--seeds', 0, 1,
            '--method', 'fixmatch', '--suite', tmp_path / 'compare.py',
        )  # fmt: skip


@pytest.mark.parametrize(
    ('labelled', 'unlabelled', 'message'),
    [
        ('t0 zz', 't1', "--labelled: .*has no file '.*/zz.jpg'"),
        ('t0 x0', 't1', "--labelled: .*'.*SegmentationClass/x0.png'"),
        ('t0', 't1 zz', '--unlabelled: 1 of 2 .* missing.*zz.jpg'),
        ('t0', 'JPEGImages/t1', '--unlabelled: .*is missing.*make_splits'),
        ('t0', 't1 t0', '--unlabelled: 1 of 2 .* labelled.*t0.jpg'),
        ('t0', 't1 v0', '--unlabelled: 1 of 2 .* for validation.*v0.jpg'),
        ('t0', '', '--unlabelled: no unlabelled image found'),
        ('', 't0', '--labelled: .* lists no image'),
    ],
)
def test_what_is_wrong_is_named(
    voc, lists, tmp_path, call, labelled, unlabelled, message
):
    with pytest.raises(SystemExit, match=f'^error: {message}'):
        call(
            make_semi_config, PSPNET, *lists(labelled, unlabelled),
            '--data-root', voc, '--out', tmp_path / 'a.py',
        )  # fmt: skip
    assert not list(tmp_path.glob('*.py'))


def test_images_in_both_lists_where_it_is_meant(voc, lists, tmp_path, call):
    call(
        make_semi_config, PSPNET, *lists('t0', 't0 t1'), '--data-root', voc,
        '--method', 'fixmatch', '--out', tmp_path / 'a.py', '--cfg-options',
        *options(0, SMALL_PSPNET), f'{SET}.allow_overlap=True',
    )  # fmt: skip
    cfg = Config.fromfile(tmp_path / 'a.py')
    assert len(DATASETS.build(cfg.train_dataloader.dataset).unlabelled) == 2


def test_data_that_are_not_there(voc, lists, tmp_path, call):
    with pytest.raises(SystemExit, match='Set the folder by --data-root'):
        call(
            make_semi_config, PSPNET, *lists('t0', 't1'),
            '--data-root', voc.parent, '--out', tmp_path / 'a.py',
        )  # fmt: skip
