"""Generated images in the folders that the data sets have."""

from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config


def write_pair(image: Path, mask: Path, size, classes, generator) -> None:
    """An image (H, W) in size and a mask with every class and some void."""
    height, width = size
    ids = np.arange(height * width) * classes // (height * width)
    label = generator.permutation(ids).reshape(size).astype(np.uint8)
    label[:2] = 255
    pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
    for path, array in ((image, pixels), (mask, label)):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), array)


def shorten(cfg: Config, lists: Path) -> dict[str, list[str]]:
    """Cut the committed lists of a config to a few names each, in place.

    Returns:
        dict[str, list[str]]: Names by ``labelled`` and ``unlabelled``.
    """
    dataset = cfg.train_dataloader.dataset
    parts = dict(labelled=dataset)
    if 'labelled' in dataset:
        parts = {name: dataset[name] for name in ('labelled', 'unlabelled')}
    names = {}
    for name, part in parts.items():
        if not part.get('ann_file'):
            continue
        names[name] = Path(part.ann_file).read_text().split()[:4]
        part.ann_file = str(lists / f'{name}.txt')
        Path(part.ann_file).write_text('\n'.join(names[name]) + '\n')
    return names


def cityscapes(cfg: Config, root: Path) -> None:
    """Half-size images of 128x64, and the whole ones in root/full."""
    generator = np.random.default_rng(0)
    names = shorten(cfg, root)
    listed = [name for part in names.values() for name in part]
    wanted = [('train', n) for n in listed or ['aachen/aachen_000000_000019']]
    wanted += [('val', f'ulm/ulm_00000{i}_000019') for i in range(2)]
    for folder, size in ((root, (64, 128)), (root / 'full', (128, 256))):
        for split, name in wanted:
            write_pair(
                folder / f'leftImg8bit/{split}/{name}_leftImg8bit.png',
                folder / f'gtFine/{split}/{name}_gtFine_labelTrainIds.png',
                size,
                19,
                generator,
            )


def voc(cfg: Config, root: Path) -> None:
    """Images of different sizes, and the lists of every split."""
    generator = np.random.default_rng(0)
    names = [f'2007_{i:06d}' for i in range(10)]
    for i, name in enumerate(names):
        write_pair(
            root / f'JPEGImages/{name}.jpg',
            root / f'SegmentationClassAug/{name}.png',
            (40 + 3 * i, 63),
            21,
            generator,
        )
    lists = {
        'ImageSets/Segmentation/train_aug': names[:8],
        'ImageSets/Segmentation/val': names[8:],
    }
    for part in (8, 20, 50, 100):
        lists[f'splits/1-{part}/labelled'] = names[:3]
        lists[f'splits/1-{part}/unlabelled'] = names[3:8]
    for path, content in lists.items():
        path = root / f'{path}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(content) + '\n')


def camvid(cfg: Config, root: Path) -> None:
    """Images of 120x90 instead of 480x360."""
    generator = np.random.default_rng(0)
    names = shorten(cfg, root)
    listed = [n for part in names.values() for n in part]
    folders = dict(train=listed or [f'0016E5_0{i}' for i in range(4)])
    folders.update(val=['0016E5_07959'], test=['0001TP_008550'])
    for folder, content in folders.items():
        for name in content:
            write_pair(
                root / f'img_dir/{folder}/{name}.jpg',
                root / f'ann_dir/{folder}/{name}.png',
                (90, 120),
                11,
                generator,
            )


LAYOUTS = dict(
    CityscapesDataset=(cityscapes, 8),
    PascalVOCDataset=(voc, 8),
    CamVidDataset=(camvid, 4),
)
