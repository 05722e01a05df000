"""The usual protocols of docs/recipes.md, on stand-ins of the data sets."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from rml_mmseg.datasets import splits
from rml_mmseg.experiments.suites import load_suite, plan_runs
from tests.test_docs.commands import bash_blocks, run_block
from tests.test_tools.small_stock import SMALL_DEEPLAB, options

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'recipes.md'
SMALL = ' '.join(options(0, SMALL_DEEPLAB) + options(1, SMALL_DEEPLAB))
SMALLER = (
    ('--suite data/voc.py', f'--suite data/voc.py --cfg-options {SMALL}'),
    ('data/city.py --cfg-options', f'data/city.py --cfg-options {SMALL}'),
)
TRAIN, TRAIN_AUG, CITYSCAPES = 1464, 10582, 2975
NAMES = [f'2008_{i:06}' for i in range(TRAIN_AUG)]
# Names of VOC's own images, spread over the list, as many as VOC has.
OWN = NAMES[::7][:TRAIN]


def section():
    text = DOCUMENT.read_text()
    return re.search(r'## The usual protocols\n.*?(?=\n## )', text, re.S)[0]


@pytest.fixture
def blocks(tmp_path):
    page = tmp_path / 'section.md'
    page.write_text(section())
    return bash_blocks(page, SMALLER)


@pytest.fixture
def lists(clone):
    """VOC's lists, and the images of Cityscapes as empty files."""
    folder = clone / 'data/VOCdevkit/VOC2012/ImageSets/Segmentation'
    folder.mkdir(parents=True)
    for name, names in (('train', OWN), ('train_aug', NAMES), ('val', ['v'])):
        (folder / f'{name}.txt').write_text(splits.list_text(names))
    city = clone / 'data/cityscapes/leftImg8bit/train/ulm'
    city.mkdir(parents=True)
    for i in range(CITYSCAPES):
        (city / f'ulm_{i:06}_leftImg8bit.png').touch()
    return clone


def test_counts_are_those_of_the_table(
    blocks, lists, monkeypatch, run_command, capsys
):
    rows = re.findall(
        r'^\| ([\w, ]*)\| [\w/]+ \| (\d+) \| (\d+) \|$', section(), re.M
    )
    assert len(rows) == 12
    draws = iter(blocks[:3])
    for protocol, labelled, unlabelled in rows:
        if protocol.strip():
            block = next(draws)
            # The command has the first of the counts.
            assert f'--count {labelled} ' in block
            first = labelled
        run_block(
            block.replace(f'--count {first} ', f'--count {labelled} ').replace(
                f'/{first}_seed', f'/{labelled}_seed'
            ),
            monkeypatch,
            run_command,
        )
        told = capsys.readouterr().out
        assert f'\nlabelled: {labelled} images' in f'\n{told}'
        assert f'\nunlabelled: {unlabelled} images' in f'\n{told}'
        assert 'left out' not in told


def peer_lists(folder, line, names):
    """Lists as UniMatch writes them."""
    folder.mkdir(parents=True)
    for name, part in (('labeled', names[:2]), ('unlabeled', names[2:])):
        text = '\n'.join(line.format(n) for n in part)
        (folder / f'{name}.txt').write_text(text)


def test_published_lists_are_read(blocks, clone, monkeypatch, run_command):
    peers = clone / 'UniMatch/splits'
    line = 'JPEGImages/{0}.jpg SegmentationClass/{0}.png'
    peer_lists(peers / 'pascal/92', line, NAMES[:5])
    line = (
        'leftImg8bit/train/{0}_leftImg8bit.png '
        'gtFine/train/{0}_gtFine_labelTrainIds.png'
    )
    names = [f'ulm/ulm_{i:06}' for i in range(5)]
    peer_lists(peers / 'cityscapes/1_16', line, names)
    run_block(blocks[3], monkeypatch, run_command)
    for out, expected in (
        ('VOCdevkit/VOC2012/splits/92_unimatch', NAMES[:5]),
        ('cityscapes/splits/186_unimatch', names),
    ):
        found = [
            (clone / 'data' / out / f'{part}.txt').read_text().split()
            for part in ('labelled', 'unlabelled')
        ]
        assert found == [expected[:2], expected[2:]]


def test_a_suite_of_them_is_made(blocks, lists, monkeypatch, run_command):
    voc = lists / 'data/VOCdevkit/VOC2012'
    image, mask = lists / 'image.jpg', lists / 'mask.png'
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(image)
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(mask)
    for file, folder, names in (
        (image, 'JPEGImages', [*NAMES, 'v']),
        (mask, 'SegmentationClass', [*OWN, 'v']),
        (mask, 'SegmentationClassAug', [*NAMES, 'v']),
    ):
        (voc / folder).mkdir()
        for name in names:
            os.link(file, voc / folder / f'{name}{file.suffix}')
    for block in (*blocks[:2], blocks[4]):
        run_block(block, monkeypatch, run_command)
    runs = plan_runs(load_suite(lists / 'data/voc.py'), lists / 'out')
    assert [(run.method, run.split) for run in runs] == [
        (method, split)
        for method in ('supervised', 'unimatch', 'rml')
        for split in ('92', '662')
    ]
    read = runs[0].options['train_dataloader.dataset.ann_file']
    assert read == 'splits/92_seed0/labelled.txt'
    made = (lists / 'data/voc_rml.py').read_text()
    assert 'SegmentationClassAug' in made
    record = voc / 'splits/92_seed0/provenance.json'
    assert json.loads(record.read_text())['unlabelled_source_count'] == 10582


def test_a_suite_of_hard_pixels_and_sliding_windows(
    blocks, lists, monkeypatch, run_command
):
    image, mask = lists / 'image.png', lists / 'mask.png'
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(image)
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(mask)
    city = lists / 'data/cityscapes'
    for path in city.glob('leftImg8bit/train/ulm/*.png'):
        path.unlink()
        os.link(image, path)
        name = path.name.replace('leftImg8bit', 'gtFine_labelTrainIds')
        truth = city / 'gtFine/train/ulm' / name
        truth.parent.mkdir(parents=True, exist_ok=True)
        os.link(mask, truth)
    for block in (blocks[2], blocks[5]):
        run_block(block, monkeypatch, run_command)
    runs = plan_runs(load_suite(lists / 'data/city.py'), lists / 'out')
    assert [run.method for run in runs] == ['supervised', 'unimatch', 'rml']
    configs = [Config.fromfile(run.config) for run in runs]
    for cfg, learners in zip(configs, (0, 1, 2)):
        networks = cfg.model.segmentors if learners else [cfg.model]
        assert len(networks) == max(learners, 1)
        for network in networks:
            assert network.decode_head.sampler.type == 'OHEMPixelSampler'
            assert network.test_cfg.mode == 'slide'
            assert network.test_cfg.crop_size == (769, 769)
