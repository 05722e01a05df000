"""Every fault of a data set is named, and the exit code shows it."""

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def load_tool():
    path = TOOLS / 'analysis_tools' / 'check_data.py'
    spec = importlib.util.spec_from_file_location('check_data', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


tool = load_tool()


@pytest.fixture
def config(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(tiny_data))
    return str(Path(__file__).resolve().parents[1] / 'tiny_mutual.py')


def run(config, capsys, *options):
    code = tool.main([config, *map(str, options)])
    return code, capsys.readouterr()


def labelled_masks(folder):
    paths = [folder / f'ann_dir/train/{i:02}.png' for i in range(4)]
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths]


def test_clean_set(config, capsys, tmp_path, tiny_data):
    masks = np.stack(labelled_masks(tiny_data))
    road = masks == 2
    out = tmp_path / 'new/report.json'
    code, printed = run(config, capsys, '--json', out)
    assert code == 0, printed.out
    assert 'nothing is wrong' in printed.out
    for line in (
        'labelled: 4 images',
        'unlabelled: 6 images',
        'val: 2 images',
        '  height 48 to 48 pixels, median 48',
        '  width 64 to 64 pixels, median 64',
        f'  class 2 road: {road.mean():.2%} of the pixels, in '
        f'{road.any((1, 2)).sum()} images',
    ):
        assert line in printed.out
    # No terminal, no progress bar.
    assert printed.err.endswith('val: 2 images\n')
    assert '6/6' not in printed.err
    found = json.loads(out.read_text())
    assert [part['images'] for part in found['sets']] == [4, 6, 2]
    sky = found['sets'][0]['classes']['sky']
    assert sky['pixels'] == (masks == 0).sum()


def test_black_and_white_masks(config, capsys, tiny_data):
    for i in range(4):
        path = str(tiny_data / f'ann_dir/train/{i:02}.png')
        mask = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        cv2.imwrite(path, np.where(mask == 1, 255, 0).astype(np.uint8))
    code, printed = run(config, capsys)
    assert code == 1
    assert 'masks hold only 0 (sky) and ignored' in printed.out
    assert '1 problem found, ' in printed.out


def test_damaged_files(config, capsys, tiny_data):
    image = tiny_data / 'img_dir/train/07.png'
    image.write_bytes(image.read_bytes()[:200])
    mask = tiny_data / 'ann_dir/train/01.png'
    mask.write_bytes(b'')
    code, printed = run(config, capsys)
    assert code == 1
    assert f"'{image}' cannot be decoded" in printed.out
    assert f"'{mask}' is empty" in printed.out
    assert '2 problems found' in printed.out


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        (np.full((48, 64), 7, np.uint8), '[7]'),
        (np.zeros((24, 64), np.uint8), '(24, 64)'),
        (np.full((48, 64), 256, np.uint16), 'from 256 to 256'),
        (np.zeros((48, 64, 3), np.uint8), 'one channel'),
    ],
)
def test_masks_that_do_not_fit(config, capsys, tiny_data, mask, message):
    path = tiny_data / 'ann_dir/train/01.png'
    cv2.imwrite(str(path), mask)
    code, printed = run(config, capsys)
    assert code == 1
    (line,) = (x for x in printed.out.splitlines() if 'problem:' in x)
    assert '01.png' in line and message in line


@pytest.mark.parametrize(
    ('source', 'target', 'sets'),
    [
        ('train/00', 'train/08', 'labelled and unlabelled'),
        ('train/00', 'val/01', 'labelled and val'),
        ('train/05', 'val/01', 'unlabelled and val'),
    ],
)
def test_images_in_two_sets(config, capsys, tiny_data, source, target, sets):
    # The same pixels in a file of other bytes.
    image = cv2.imread(str(tiny_data / f'img_dir/{source}.png'))
    target = tiny_data / f'img_dir/{target}.png'
    cv2.imwrite(str(target), image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    code, printed = run(config, capsys)
    assert code == 1
    assert f'{sets} share 1 image: ' in printed.out
    assert str(target) in printed.out
    assert run(config, capsys, '--allow-shared')[0] == 0


def test_what_should_be_looked_at(config, capsys, tiny_data):
    folder = tiny_data / 'img_dir/train'
    shutil.copy(folder / '04.png', folder / '05.png')
    cv2.imwrite(str(folder / '06.png'), np.full((48, 64, 3), 9, np.uint8))
    clear = Image.open(folder / '08.png').convert('RGBA')
    clear.putalpha(7)
    clear.save(folder / '08.png')
    turned = Image.open(folder / '02.png')
    exif = turned.getexif()
    exif[0x0112] = 3
    turned.save(folder / '02.png', exif=exif)
    masks = labelled_masks(tiny_data)
    for i, mask in enumerate(masks):
        path = str(tiny_data / f'ann_dir/train/{i:02}.png')
        cv2.imwrite(path, np.where(mask == 3, 255, mask))
    ignored = np.mean([mask == 3 for mask in masks])
    code, printed = run(config, capsys)
    assert code == 0
    warnings = [x for x in printed.out.splitlines() if 'warning' in x]
    for text in (
        '2 files are the same image',
        "06.png' has a single colour, 9",
        "02.png' is rotated by its EXIF data",
        "08.png' has an alpha channel, which is ignored",
        'class 3 tree is in no image',
    ):
        assert any(text in line for line in warnings), (text, printed.out)
    assert f'  ignored: {ignored:.2%}' in printed.out
    assert ignored > 0


def test_what_loading_leaves_nothing_of(config, capsys, tiny_data):
    dark = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    # A value far above the others makes the rest no brighter.
    dark[0, 0] = 65535
    cv2.imwrite(str(tiny_data / 'img_dir/train/07.png'), dark)
    code, printed = run(config, capsys)
    assert code == 1
    told = 'holds values from 1 to 65535 (uint16), 3072 in all, which'
    assert told in printed.out


def test_images_are_read_as_the_training_reads_them(
    config, capsys, tiny_data, tmp_path
):
    folder = tiny_data / 'img_dir/train'
    for path in folder.glob('*.png'):
        image = cv2.imread(str(path)).astype(np.uint16) * 4
        cv2.imwrite(str(path), image)
    assert run(config, capsys)[0] == 1
    cfg = Config.fromfile(config)
    for part in ('labelled', 'unlabelled'):
        loader = cfg.train_dataloader.dataset[part].pipeline[0]
        loader.imdecode_backend = 'pillow'
        loader.color_type = 'unchanged'
    own = str(tmp_path / 'own.py')
    cfg.dump(own)
    code, printed = run(own, capsys)
    assert code == 0, printed.out


def test_a_report_that_cannot_be_written(config, capsys, tmp_path):
    (tmp_path / 'file').touch()
    out = tmp_path / 'file/report.json'
    code, printed = run(config, capsys, '--json', out)
    assert code == 2 and not printed.out
    assert f'error: --json {out}: ' in printed.err


def test_config_that_cannot_be_used(capsys, tmp_path):
    code, printed = run(str(tmp_path / 'gone.py'), capsys)
    assert code == 2
    assert 'gone.py' in printed.err


def test_data_that_is_not_there(config, capsys, tiny_data):
    shutil.rmtree(tiny_data)
    code, printed = run(config, capsys)
    assert code == 2
    assert str(tiny_data) in printed.err


def test_sets_that_are_joined_or_repeated(config, tiny_data):
    cfg = tool.Config.fromfile(config)
    val = cfg.val_dataloader.dataset
    cfg.val_dataloader.dataset = dict(
        type='ConcatDataset',
        datasets=[val, dict(type='RepeatDataset', times=3, dataset=val)],
    )
    cfg.test_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=val
    )
    tool.init_default_scope('mmseg')
    sizes = {name: len(part) for name, part, _ in tool.all_sets(cfg)}
    assert list(sizes) == ['labelled', 'unlabelled', 'val 1', 'val 2', 'test']
    assert sizes['val 1'] == sizes['val 2'] == sizes['test']
