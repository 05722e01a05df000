"""Work folders written by hand, as mmengine leaves them."""

import json
import shutil

import cv2
import numpy as np

HEAD = '2026/01/01 00:00:00 - mmengine - INFO - '
CONFIG = """
model = dict(
    type='MutualSemiSegmentor',
    test_cfg=dict(mode='whole', predict_on='teachers.0'))
randomness = dict(seed={seed})
"""
PLAIN = """
model = dict(type='EncoderDecoder')
randomness = dict(seed={seed})
"""


def table(ious):
    rows = [f'|  {name}  | {iou} | 50.0 |' for name, iou in ious.items()]
    line = '+---+---+---+'
    return [
        f'{HEAD}per class results:',
        HEAD,
        *(line, '|  Class  |  IoU  |  Acc  |', line),
        *(*rows, line),
    ]


def write_lines(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(map(json.dumps, entries)), 'utf-8')


def write_run(
    folder, semi=True, seed=0, miou=50.0, name='small', stamp='20260101_000000'
):
    """A run of two validations, tested once."""
    train = [
        {'loss': 3.0, 'lr': 0.1, 'iter': 50, 'step': 50},
        {'loss': 2.0, 'lr': 0.1, 'iter': 100, 'step': 100},
    ]
    val = [
        {'mIoU': miou - 5, 'aAcc': 80.0, 'step': 50},
        {'mIoU': miou, 'aAcc': 82.0, 'step': 100},
    ]
    if semi:
        for entry in train:
            entry['monitor/total_variation'] = 0.25
            entry['monitor/teachers.0/mIoU'] = 0.5
            entry['monitor/teachers.0/mIoU_raw'] = 0.4
        for entry in val:
            entry['teachers.0/mIoU'] = entry['mIoU']
            entry['students.1/mIoU'] = entry['mIoU'] - 2
    data = folder / stamp / 'vis_data'
    write_lines(data / 'scalars.json', [*train, *val])
    config = (CONFIG if semi else PLAIN).format(seed=seed)
    (data / 'config.py').write_text(config, 'utf-8')
    (folder / f'{name}.py').write_text(config, 'utf-8')
    lines = [
        *table({'road': 10.0, 'a|b': 20.0}),
        f'{HEAD}students.1:',
        *table({'road': 1.0, 'a|b': 2.0}),
        f'{HEAD}Iter(val) [2/2]    mIoU: 15',
        *table({'road': 90.0, 'a|b': miou, 'sky': 'nan'}),
        f'{HEAD}students.1:',
        *table({'road': 3.0, 'a|b': 4.0}),
        f'{HEAD}Iter(val) [2/2]    mIoU: 75',
    ]
    (folder / stamp / f'{stamp}.log').write_text('\n'.join(lines), 'utf-8')
    later = folder / '20260102_000000'
    write_lines(later / '20260102_000000.json', [{'mIoU': miou - 1}])
    lines = [
        *table({'road': 80.0, 'a|b': miou - 10}),
        f'{HEAD}Iter(test) [2/2]    mIoU: 65',
    ]
    (later / '20260102_000000.log').write_text('\n'.join(lines), 'utf-8')
    return folder


def write_suite_run(suite, method, split, seed, **kwargs):
    """A run of a suite whose last and best checkpoints are tested."""
    folder = suite / method / split / f'seed_{seed}'
    write_run(folder, method != 'supervised', seed, **kwargs)
    stamp, later = '20260102_000000', '20260103_000000'
    (folder / 'test').mkdir()
    shutil.move(folder / stamp, folder / 'test' / stamp)
    best = folder / 'test_best' / later
    write_lines(best / f'{later}.json', [{'mIoU': 99.0}])
    lines = [*table({'road': 99.0}), f'{HEAD}Iter(test) [2/2]    mIoU: 99']
    (best / f'{later}.log').write_text('\n'.join(lines), 'utf-8')
    record = dict(method=method, split=split, seed=seed, status='finished')
    (folder / 'run.json').write_text(json.dumps(record), 'utf-8')
    return folder


def write_pictures(folder, stamp='20260101_000000'):
    """Panels of two iterations, and one hard image."""
    picture = np.full((8, 12, 3), 200, np.uint8)
    images = folder / stamp / 'vis_data' / 'vis_image'
    hard = folder / stamp / 'hard_images'
    for path in (images, hard):
        path.mkdir(parents=True)
    for name in ('panels_0_50', 'panels_0_100', 'panels_1_50', 'other_50'):
        cv2.imwrite(str(images / f'{name}.png'), picture)
    for kind in ('truth', 'prediction'):
        cv2.imwrite(str(hard / f'0_{kind}.png'), picture[..., 0] // 200)
    cv2.imwrite(str(folder / 'image.png'), picture)
    entry = dict(
        img_path=str(folder / 'image.png'),
        mIoU=0.25,
        IoU={'road': 0.5, 'sky': 0.0},
        prediction='hard_images/0_prediction.png',
        truth='hard_images/0_truth.png',
    )
    found = dict(
        mode='val',
        classes=['road', 'sky'],
        palette=[[1, 2, 3], [4, 5, 6]],
        hardest=[entry],
        images=[],
    )
    path = folder / stamp / 'image_scores.json'
    path.write_text(json.dumps(found), 'utf-8')
