"""Extend PASCAL VOC 2012 by the masks of SBD to 10,582 training images."""

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple, Optional

import cv2
import mmengine
import numpy as np

from rml_mmseg.datasets.mask_decoding import read_mask

NUM_CLASSES = 21
IGNORE_INDEX = 255
TRAIN_AUG = 10582


class Source(NamedTuple):
    """An image and the file that its mask comes from."""

    name: str
    mask: Path


def read_names(path: Path) -> list[str]:
    """Read the names of a list file.

    Args:
        path (Path): Text file with one name per line.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist. Unpack VOCtrainval_11-May-2012.tar of '
            'PASCAL VOC, so that VOCdevkit/VOC2012 holds '
            'JPEGImages, SegmentationClass and ImageSets.'
        )
    return path.read_text('utf-8').split()


def train_aug_names(
    train: Iterable[str], val: Iterable[str], extra: Iterable[str]
) -> list[str]:
    """Names of the augmented training set.

    Args:
        train (Iterable[str]): VOC's training images.
        val (Iterable[str]): VOC's validation images, which are left out.
        extra (Iterable[str]): Images with an additional mask.

    Returns:
        list[str]: Sorted names.
    """
    return sorted((set(train) | set(extra)) - set(val))


def find_extra(sbd: Optional[Path], masks: Optional[Path]) -> dict[str, Path]:
    """Find the additional masks, by image name.

    Args:
        sbd (Path, optional): Unpacked SBD: the folder that holds ``cls``, or
            one above it.
        masks (Path, optional): Folder SegmentationClassAug of PNG masks.

    Raises:
        FileNotFoundError: If there is no mask.
    """
    if masks is not None:
        found = {path.stem: path for path in masks.glob('*.png')}
        if not found:
            raise FileNotFoundError(f'{masks} holds no .png mask')
        return found
    assert sbd is not None
    for folder in (sbd / 'cls', sbd / 'dataset' / 'cls'):
        found = {path.stem: path for path in folder.glob('*.mat')}
        if found:
            return found
    raise FileNotFoundError(
        f'{sbd} holds neither cls/*.mat nor dataset/cls/*.mat; it must be '
        'the folder benchmark_RELEASE of SBD'
    )


def read_sbd_mask(path: Path) -> np.ndarray:
    """Read the class ids of an SBD annotation.

    Args:
        path (Path): File in the folder ``cls``.

    Returns:
        np.ndarray: uint8 (H, W).

    Raises:
        ValueError: If the file is not such an annotation.
    """
    # Only this source needs SciPy.
    from scipy.io import loadmat

    try:
        content = loadmat(str(path), simplify_cells=True)
        return np.asarray(content['GTcls']['Segmentation'], dtype=np.uint8)
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f'{path} is not an SBD annotation with '
            f"GTcls['Segmentation']: {error}"
        ) from error


def convert(source: Source, voc: Path, out: Path) -> str:
    """Write one mask as a grey PNG of class ids.

    Args:
        source (Source): Image name and mask.
        voc (Path): Folder VOC2012.
        out (Path): Folder of the masks.

    Returns:
        str: Empty on success, else what failed.
    """
    try:
        if source.mask.suffix == '.mat':
            mask = read_sbd_mask(source.mask)
        else:
            mask = read_mask(source.mask)
        wrong = np.unique(mask[(mask >= NUM_CLASSES) & (mask < IGNORE_INDEX)])
        if wrong.size:
            raise ValueError(
                f'{source.mask} holds the ids {wrong.tolist()}, but ids must '
                'be 0 to 20 or 255'
            )
        image_path = voc / 'JPEGImages' / f'{source.name}.jpg'
        image = cv2.imread(str(image_path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f'{image_path} is missing or cannot be read')
        if mask.shape != image.shape[:2]:
            raise ValueError(
                f'{source.mask} has the size {mask.shape}, but its image '
                f'{image.shape[:2]}'
            )
        target = out / f'{source.name}.png'
        # A killed run must not leave half a mask that looks complete.
        unfinished = target.with_suffix('.part')
        unfinished.write_bytes(cv2.imencode('.png', mask)[1].tobytes())
        unfinished.replace(target)
    except (ValueError, OSError) as error:
        return str(error)
    return ''


def collect(
    voc: Path, extra: dict[str, Path]
) -> tuple[list[Source], list[str], list[str]]:
    """Collect the masks to write, and the names of both lists.

    VOC's own images, those for validation included, keep VOC's own masks, so
    that one folder serves every list.

    Args:
        voc (Path): Folder VOC2012.
        extra (dict[str, Path]): Additional masks by image name.

    Returns:
        tuple: Sources, names of train_aug, and those of them that are not in
        VOC's own training set.
    """
    lists = voc / 'ImageSets' / 'Segmentation'
    train = read_names(lists / 'train.txt')
    val = read_names(lists / 'val.txt')
    names = train_aug_names(train, val, extra)
    added = sorted(set(names) - set(train))
    own = voc / 'SegmentationClass'
    sources = [Source(name, own / f'{name}.png') for name in train + val]
    sources += [Source(name, extra[name]) for name in added]
    return sources, names, added


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Write SegmentationClassAug and the lists train_aug.txt '
        '(10,582 names) and aug.txt (those of them that are not in '
        'train.txt) to VOC2012.'
    )
    parser.add_argument(
        'voc',
        type=Path,
        nargs='?',
        default=Path('data/VOCdevkit/VOC2012'),
        help='folder VOC2012 (default: %(default)s)',
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--sbd', type=Path, help='unpacked SBD, folder benchmark_RELEASE'
    )
    source.add_argument('--masks', type=Path, help='folder of ready PNG masks')
    parser.add_argument(
        '--nproc', type=int, default=1, help='number of processes'
    )
    parser.add_argument(
        '--any-number',
        action='store_true',
        help=f'accept a number of training images other than {TRAIN_AUG}',
    )
    args = parser.parse_args()
    if args.nproc < 1:
        parser.error(f'--nproc must be at least 1, but is {args.nproc}')
    return args


def main() -> None:
    """Write masks and lists."""
    args = parse_args()
    out = args.voc / 'SegmentationClassAug'
    try:
        extra = find_extra(args.sbd, args.masks)
        sources, names, added = collect(args.voc, extra)
    except OSError as error:
        raise SystemExit(f'error: {error}') from error
    if len(names) != TRAIN_AUG and not args.any_number:
        raise SystemExit(
            f'error: the augmented training set has {len(names)} images, '
            f'but must have {TRAIN_AUG}: the masks or the lists of VOC are '
            'incomplete (--any-number accepts this)'
        )
    out.mkdir(exist_ok=True)
    work = partial(convert, voc=args.voc, out=out)
    if args.nproc == 1:
        results = mmengine.track_progress(work, sources, file=sys.stderr)
    else:
        results = mmengine.track_parallel_progress(
            work, sources, args.nproc, chunksize=16, file=sys.stderr
        )
    failures = [text for text in results if text]
    if failures:
        print(f'\n{len(failures)} failed:', *failures, sep='\n  ')
        raise SystemExit('error: the lists were not written')
    lists = args.voc / 'ImageSets' / 'Segmentation'
    for name, content in (('train_aug', names), ('aug', added)):
        (lists / f'{name}.txt').write_text('\n'.join(content) + '\n')
    print(f'\n{len(names)} names in train_aug.txt, masks in {out}')


if __name__ == '__main__':
    main()
