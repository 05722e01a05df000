"""Prepare Cityscapes at 1024x512 and at its full size.

Semi-supervised work on Cityscapes trains and scores at half size. Labels are
down-sampled by majority vote; the labels at full size are kept for
full-resolution evaluation.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import mmcv
import mmengine
import numpy as np

from rml_mmseg.datasets.label_downsample import majority_downsample

IGNORE_INDEX = 255
# labelId -> trainId of the 19 evaluated classes, from road to bicycle.
TRAIN_IDS = {
    7: 0,
    8: 1,
    11: 2,
    12: 3,
    13: 4,
    17: 5,
    19: 6,
    20: 7,
    21: 8,
    22: 9,
    23: 10,
    24: 11,
    25: 12,
    26: 13,
    27: 14,
    28: 15,
    31: 16,
    32: 17,
    33: 18,
}
MAX_LABEL_ID = 33
IMAGE_END = '_leftImg8bit.png'
LABEL_END = '_gtFine_labelIds.png'
TRAIN_ID_END = '_gtFine_labelTrainIds.png'
EXPECTED = dict(train=2975, val=500)


class Frame(NamedTuple):
    """One image and its label map, relative to the folders' common root."""

    image: Path
    label: Path


def to_train_ids(label: np.ndarray, name: str = 'label') -> np.ndarray:
    """Convert Cityscapes' labelIds to the 19 trainIds.

    Args:
        label (np.ndarray): uint8 labelIds, (H, W).
        name (str): Name of the file, for errors. Defaults to 'label'.

    Returns:
        np.ndarray: uint8 trainIds 0 to 18, and 255 for every other label.

    Raises:
        ValueError: If the label map is not grey or holds an id above 33.
    """
    if label.ndim != 2 or label.dtype != np.uint8:
        raise ValueError(
            f'{name} must be an 8-bit grey image of labelIds, but has shape '
            f'{label.shape} and type {label.dtype}'
        )
    # Licence plates have the id -1, which is 255 in 8 bits.
    wrong = np.unique(label[(label > MAX_LABEL_ID) & (label != 255)])
    if wrong.size:
        raise ValueError(
            f'{name} holds the ids {wrong.tolist()}, but labelIds are 0 to '
            f'{MAX_LABEL_ID}'
        )
    table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    table[list(TRAIN_IDS)] = list(TRAIN_IDS.values())
    return table[label]


def list_frames(root: Path, split: str) -> list[Frame]:
    """List the images of a split with their label maps.

    Args:
        root (Path): Folder with leftImg8bit and gtFine.
        split (str): 'train' or 'val'.

    Returns:
        list[Frame]: Sorted by name.

    Raises:
        FileNotFoundError: If a folder, all images or a label map is missing.
    """
    images = root / 'leftImg8bit' / split
    labels = root / 'gtFine' / split
    for folder in (images, labels):
        if not folder.is_dir():
            raise FileNotFoundError(
                f'{folder} is not a folder. Unpack leftImg8bit_trainvaltest'
                '.zip and gtFine_trainvaltest.zip of Cityscapes into '
                f'{root}.'
            )
    frames = []
    for image in sorted(images.glob(f'*/*{IMAGE_END}')):
        stem = image.name[: -len(IMAGE_END)]
        label = labels / image.parent.name / f'{stem}{LABEL_END}'
        if not label.is_file():
            raise FileNotFoundError(f'{image} has no label map {label}')
        frames.append(Frame(image.relative_to(root), label.relative_to(root)))
    if not frames:
        raise FileNotFoundError(f'{images} holds no */*{IMAGE_END}')
    return frames


def _train_id_path(label: Path) -> Path:
    name = label.name[: -len(LABEL_END)] + TRAIN_ID_END
    return label.with_name(name)


def _read(path: Path, flags: int) -> np.ndarray:
    array = cv2.imread(str(path), flags)
    if array is None:
        raise ValueError(f'{path} cannot be read as an image')
    return array


def _write(path: Path, array: np.ndarray) -> None:
    # A killed run must not leave half a file that the next one skips.
    unfinished = path.with_name(f'{path.stem}.unfinished{path.suffix}')
    mmcv.imwrite(array, str(unfinished))
    unfinished.replace(path)


def convert_frame(
    frame: Frame, root: Path, out: Path, factor: int, overwrite: bool
) -> str:
    """Convert one frame.

    Args:
        frame (Frame): Paths relative to ``root``.
        root (Path): Folder of the raw data. The trainIds at full size are
            written beside the raw label map.
        out (Path): Folder of the reduced data.
        factor (int): Both sides are divided by this.
        overwrite (bool): Whether to convert frames that exist already.

    Returns:
        str: Empty on success, else what failed.
    """
    full = root / _train_id_path(frame.label)
    small_image = out / frame.image
    small_label = out / _train_id_path(frame.label)
    targets = (full, small_image, small_label)
    if not overwrite and all(path.is_file() for path in targets):
        return ''
    try:
        image = _read(root / frame.image, cv2.IMREAD_COLOR)
        label = _read(root / frame.label, cv2.IMREAD_UNCHANGED)
        if label.shape != image.shape[:2]:
            raise ValueError(
                f'{frame.label} has the size {label.shape}, but its image '
                f'{image.shape[:2]}'
            )
        train_ids = to_train_ids(label, str(frame.label))
        reduced = majority_downsample(train_ids, factor, IGNORE_INDEX)
        size = (reduced.shape[1], reduced.shape[0])
        # Area averaging of whole blocks is aligned with the vote's blocks.
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        _write(full, train_ids)
        _write(small_image, image)
        _write(small_label, reduced)
    except (ValueError, OSError) as error:
        return f'{frame.image}: {error}'
    return ''


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Write Cityscapes images and labels at half size, and '
        'the trainIds at full size beside the raw labels. Existing files are '
        'skipped, so an interrupted run continues where it stopped.'
    )
    parser.add_argument(
        'root',
        type=Path,
        nargs='?',
        default=Path('data/cityscapes'),
        help='folder with leftImg8bit and gtFine (default: %(default)s)',
    )
    parser.add_argument(
        'out',
        type=Path,
        nargs='?',
        default=Path('data/cityscapes_half'),
        help='folder of the reduced data (default: %(default)s)',
    )
    parser.add_argument(
        '--factor',
        type=int,
        default=2,
        help='factor to divide both sides by (default: %(default)s)',
    )
    parser.add_argument(
        '--splits', nargs='+', choices=tuple(EXPECTED), default=list(EXPECTED)
    )
    parser.add_argument(
        '--nproc', type=int, default=1, help='number of processes'
    )
    parser.add_argument('--overwrite', action='store_true')
    args = parser.parse_args()
    for name in ('factor', 'nproc'):
        if getattr(args, name) < 1:
            parser.error(
                f'--{name} must be at least 1, but is {getattr(args, name)}'
            )
    if args.root.resolve() == args.out.resolve():
        parser.error(f'root and out must differ, but are both {args.root}')
    return args


def _run(convert: partial, frames: Sequence[Frame], nproc: int) -> list[str]:
    """Convert every frame, with a progress bar, and return the outcomes."""
    if nproc == 1:
        return mmengine.track_progress(convert, frames, file=sys.stderr)
    return mmengine.track_parallel_progress(
        convert, frames, nproc, chunksize=4, file=sys.stderr
    )


def main() -> None:
    """Convert all frames; end with status 1 if any failed."""
    args = parse_args()
    try:
        frames = []
        for split in args.splits:
            found = list_frames(args.root, split)
            expected = EXPECTED[split]
            note = '' if len(found) == expected else f' (of {expected})'
            print(f'{split}: {len(found)} images{note}')
            frames += found
    except FileNotFoundError as error:
        raise SystemExit(f'error: {error}') from error
    convert = partial(
        convert_frame,
        root=args.root,
        out=args.out,
        factor=args.factor,
        overwrite=args.overwrite,
    )
    failures = [text for text in _run(convert, frames, args.nproc) if text]
    print(f'\n{len(frames) - len(failures)} images are in {args.out}')
    if failures:
        print(f'{len(failures)} failed:', *failures, sep='\n  ')
        sys.exit(1)


if __name__ == '__main__':
    main()
