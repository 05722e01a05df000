"""Make a data set from any folder of images, some of them annotated."""

import argparse
import json
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

import numpy as np

from rml_mmseg.datasets.colour_table import read_colour_table
from rml_mmseg.datasets.counted import counted
from rml_mmseg.datasets.image_folder import (
    Annotations,
    CocoFile,
    FolderItem,
    ItemReport,
    LabelMeFolder,
    MaskFolder,
    find_images,
    inspect_item,
)
from rml_mmseg.datasets.image_folder.annotations import IGNORED
from rml_mmseg.datasets.image_folder.class_names import (
    about_ids_from_one,
    agreed_names,
    names_of_ids,
    read_class_names,
    usable_palette,
)
from rml_mmseg.datasets.image_folder.division import (
    HELD_OUT,
    check_groups,
    check_held_out,
    choose_held_out,
    shared_images,
)
from rml_mmseg.datasets.image_folder.folder_item import common_suffix
from rml_mmseg.datasets.image_folder.statistics import (
    statistics,
    statistics_lines,
)
from rml_mmseg.datasets.image_folder.training_configs import (
    NETWORKS,
    TrainingPlan,
    config_texts,
    training_sizes,
)
from rml_mmseg.datasets.image_folder.writer import write_item
from rml_mmseg.datasets.name_groups import (
    group_lines,
    group_members,
    group_names,
)
from rml_mmseg.datasets.progress_bar import with_bar
from rml_mmseg.datasets.splits import list_text


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Convert a folder of images to the layout img_dir, '
        'ann_dir / train, val, test with lists of labelled, unlabelled, '
        'validation and test images, statistics, and ready training configs. '
        'Images without an annotation are the unlabelled ones. '
        'Everything is checked before anything is written.'
    )
    add = parser.add_argument
    add('images', type=Path, help='folder of images')
    add('out', type=Path, help='folder to write the data set to')
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument('--masks', type=Path, help='folder of masks')
    kind.add_argument(
        '--labelme', type=Path, help='folder of LabelMe JSON files'
    )
    kind.add_argument('--coco', type=Path, help='COCO JSON file')
    add(
        '--mask-ending',
        default='',
        help='what follows the image name in mask names, such as _mask',
    )
    add(
        '--classes',
        help='class names, separated by commas, or a file with one per line; '
        'default: the names of the annotations or class_0, class_1, ...',
    )
    add(
        '--colour-table',
        type=Path,
        help='CSV (name,r,g,b[,id]) or JSON for masks that code classes by '
        'colour or by black and white',
    )
    add(
        '--ignore-index',
        type=int,
        default=255,
        help='id of ignored pixels in masks, besides 255; 0 shifts the other '
        'ids down by one',
    )
    add(
        '--outside',
        choices=['background', 'ignore'],
        default='background',
        help='what pixels outside all polygons are: a class of their own, or '
        'ignored (default: %(default)s)',
    )
    for split, purpose, fraction in (
        ('val', 'validation, to choose the best checkpoint', 0.2),
        ('test', 'a test, not used for any choice', 0.0),
    ):
        held_out = parser.add_mutually_exclusive_group()
        held_out.add_argument(
            f'--{split}-fraction',
            type=float,
            default=fraction,
            help=f'fraction of the labelled images for {purpose} (default: '
            '%(default)s); the test images are drawn first',
        )
        held_out.add_argument(
            f'--{split}-list',
            type=Path,
            help=f'file of names for {purpose}, one per line: paths in the '
            'folder of images, without suffix',
        )
    add(
        '--seed',
        type=int,
        default=0,
        help='seed for drawing validation and test images',
    )
    add(
        '--group',
        metavar='PATTERN',
        help='regular expression for the part of a name that images of one '
        "patient, video or site share, such as '^[^_]+'; the first brackets "
        'select a part of the match. No group is in two of training, '
        'validation and test',
    )
    add(
        '--networks',
        choices=list(NETWORKS),
        default='small',
        help='; '.join(f'{k}: {v.about}' for k, v in NETWORKS.items()),
    )
    add(
        '--iters',
        type=int,
        default=2000,
        help='iterations of training (default: %(default)s)',
    )
    add(
        '--batch-size',
        type=int,
        default=4,
        help='labelled images per iteration, and as many unlabelled ones '
        '(default: %(default)s)',
    )
    add(
        '--long-side',
        type=int,
        default=512,
        help='largest length of the longer side in training, in pixels '
        '(default: %(default)s)',
    )
    add(
        '--range',
        nargs=2,
        type=float,
        metavar=('LOW', 'HIGH'),
        help='values that become 0 and 255, for images of more than 8 '
        'bits, such as CT, radar or satellite bands; values outside are '
        'clipped, and the images are written as PNG',
    )
    add(
        '--link',
        action='store_true',
        help='make symbolic links instead of copies of unchanged files',
    )
    add('--skip-bad', action='store_true', help='leave out invalid files')
    add('--dry-run', action='store_true', help='check only, write nothing')
    args = parser.parse_args()
    if not 0 <= args.ignore_index <= 255:
        parser.error(
            f'--ignore-index must be 0 to 255, but is {args.ignore_index}'
        )
    if args.range and not args.range[0] < args.range[1]:
        parser.error(f'--range must increase, but is {args.range}')
    for name, least in (
        ('iters', 2),
        ('batch_size', 2),
        ('long_side', 16),
        ('seed', 0),
    ):
        value = getattr(args, name)
        if value < least:
            option = name.replace('_', '-')
            parser.error(f'--{option} must be {least} or more, got {value}')
    if args.masks is None and (args.mask_ending or args.colour_table):
        parser.error('--mask-ending and --colour-table are only for --masks')
    return args


@contextmanager
def named(option: str) -> Iterator[None]:
    """Prefix errors with the option that they are about.

    Args:
        option (str): As it is typed, or the name of a positional argument.

    Raises:
        ValueError: In place of an error that does not begin with the option.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f'{error.filename}: {error.strerror}'
        if text.startswith(option):
            raise
        raise ValueError(f'{option}: {text}') from error


def open_annotations(
    args: argparse.Namespace,
    images: dict[str, Path],
    classes: Optional[tuple[str, ...]],
) -> Annotations:
    """Open the annotations that the command line names.

    Raises:
        ValueError: If they are invalid, or a file is missing.
    """
    settings = dict(classes=classes, background=args.outside == 'background')
    if args.labelme is not None:
        with named('--labelme'):
            return LabelMeFolder(args.labelme, images, **settings)
    if args.coco is not None:
        with named('--coco'):
            return CocoFile(args.coco, images, **settings)
    table = None
    if args.colour_table is not None:
        with named('--colour-table'):
            table = read_colour_table(args.colour_table, args.ignore_index)
            table.class_names(args.ignore_index)
    with named('--masks'):
        return MaskFolder(
            args.masks, images, args.mask_ending, table, args.ignore_index
        )


def _mask_ending(args: argparse.Namespace) -> str:
    """Ending of masks that lie among the images, or ''."""
    if args.masks is None or args.images.resolve() != args.masks.resolve():
        return ''
    if not args.mask_ending:
        raise ValueError(
            f'images and masks are both {args.images}. Set the ending of the '
            "masks, such as --mask-ending '_mask'"
        )
    return str(args.mask_ending)


def about_ids(
    args: argparse.Namespace,
    reports: Iterable[ItemReport],
    names: Optional[tuple[str, ...]],
) -> str:
    """Advice for ids of grey masks that seem to begin at 1, or ''."""
    pixels = [r.pixels for r in reports if r.pixels is not None]
    moved = args.ignore_index != IGNORED or args.colour_table is not None
    if args.masks is None or moved or names is None or not pixels:
        return ''
    return about_ids_from_one(np.sum(pixels, axis=0), names)


def check_items(
    args: argparse.Namespace,
    items: list[FolderItem],
    annotations: Annotations,
    names: Optional[tuple[str, ...]],
) -> tuple[list[FolderItem], dict[str, ItemReport]]:
    """Read and check all images and masks.

    Returns:
        tuple: Valid items, and the reports of all by name.

    Raises:
        SystemExit: If an item is invalid and ``--skip-bad`` is not given,
            after all problems have been printed.
    """
    count = names and len(names)
    reports = {
        item.name: inspect_item(item, annotations, count, args.range)
        for item in with_bar(items)
    }
    bad = [report.problem for report in reports.values() if report.problem]
    if bad:
        things = counted(len(bad), 'image or mask is', 'images or masks are')
        print(f'{things} wrong:', *bad, sep='\n  ')
    hint = about_ids(args, reports.values(), names)
    if hint:
        print(f'warning: {hint}')
    if bad and not args.skip_bad:
        raise SystemExit(
            'error: nothing was written (--skip-bad leaves them out)'
        )
    return [i for i in items if not reports[i.name].problem], reports


def divide(
    args: argparse.Namespace,
    items: list[FolderItem],
    reports: dict[str, ItemReport],
    lists: dict[str, list[str]],
) -> dict[str, list[str]]:
    """Divide the images into splits, as names by split.

    Raises:
        ValueError: If no image is annotated, none is left for training, or
            groups cannot be kept apart.
    """
    labelled = [item.name for item in items if item.annotated]
    if not labelled:
        raise ValueError(
            'no image has a valid annotation of its name. '
            'Check --masks and --mask-ending, --labelme or --coco'
        )
    groups = None
    if args.group is not None:
        groups = group_names([item.name for item in items], args.group)
    held_out = hold_out(args, labelled, reports, groups, lists)
    unlabelled = [item.name for item in items if not item.annotated]
    if groups:
        print(group_lines(group_members(groups, groups)))
        for split, members in held_out.items():
            held = {groups[name] for name in members}
            kept = [name for name in unlabelled if groups[name] not in held]
            left_out = counted(
                len(unlabelled) - len(kept),
                'of their unlabelled images is',
                'of their unlabelled images are',
            )
            print(
                f'for {split}: {", ".join(sorted(held))}; {left_out} left out'
            )
            unlabelled = kept
    rest = set(labelled).difference(*held_out.values())
    splits = dict(labelled=sorted(rest), unlabelled=unlabelled, **held_out)
    twins = shared_images(splits, reports)
    if twins:
        files = counted(len(twins), 'image held out is', 'images held out are')
        print(
            f'warning: {files} also there under another name:',
            *twins,
            sep='\n  ',
        )
    return splits


def hold_out(
    args: argparse.Namespace,
    labelled: list[str],
    reports: dict[str, ItemReport],
    groups: Optional[dict[str, str]],
    lists: dict[str, list[str]],
) -> dict[str, list[str]]:
    """Choose labelled images for validation and, if wanted, for a test.

    Raises:
        ValueError: If no image is left for training, or groups cannot be
            kept apart.
    """
    check_held_out(labelled, lists)
    for split, members in lists.items():
        if groups:
            check_groups(split, labelled, members, groups)
    shown = {
        name: set(np.flatnonzero(reports[name].pixels[:255]).tolist())
        for name in labelled
    }
    generator = np.random.default_rng(args.seed)
    chosen = dict(lists)
    for split in ('test', 'val'):
        if split in lists:
            continue
        taken = set().union(*chosen.values())
        rest = [name for name in labelled if name not in taken]
        fraction = getattr(args, f'{split}_fraction')
        chosen[split] = choose_held_out(
            split, rest, fraction, generator, shown, groups
        )
    return {s: chosen[s] for s in HELD_OUT if chosen[s] or s == 'val'}


def read_lists(args: argparse.Namespace) -> dict[str, list[str]]:
    """Read the sorted names of each list that is given, by split.

    Raises:
        ValueError: If a list cannot be read.
    """
    lists = {}
    for split in HELD_OUT:
        path = getattr(args, f'{split}_list')
        if path is not None:
            with named(f'--{split}-list'):
                lines = path.read_text('utf-8-sig').splitlines()
            lists[split] = sorted({line.strip() for line in lines} - {''})
    return lists


def make_texts(
    args: argparse.Namespace,
    splits: dict[str, list[str]],
    reports: dict[str, ItemReport],
    names: tuple[str, ...],
    palette: Optional[list[list[int]]],
    suffix: str,
) -> dict[str, str]:
    """Texts of configs, lists and statistics, by file name; prints a summary.

    Args:
        args (argparse.Namespace): Command line.
        splits (dict[str, list[str]]): Names of images by split.
        reports (dict[str, ItemReport]): Reports by name.
        names (tuple[str, ...]): Class names.
        palette (list[list[int]], optional): Colours in the annotations.
        suffix (str): Suffix of all images; '' if they are written as PNG.
    """
    report = statistics(splits, reports, names)
    print(*statistics_lines(report), sep='\n')
    sizes = [reports[name].size for own in splits.values() for name in own]
    scale, crop_size = training_sizes(sizes, args.long_side)
    plan = TrainingPlan(
        classes=names,
        palette=usable_palette(palette, len(names)),
        suffix=suffix or '.png',
        scale=scale,
        crop_size=crop_size,
        networks=args.networks,
        iters=args.iters,
        batch_size=args.batch_size,
        held_out=tuple(s for s in HELD_OUT if splits.get(s)),
    )
    texts = config_texts(args.out, plan)
    if not splits['unlabelled']:
        print(
            'warning: all images are annotated, so there is no rml.py. '
            'To write one, use make_splits.py to divide them and give its '
            'lists to make_semi_config.py'
        )
        del texts['rml.py']
    else:
        drawn = args.iters * args.batch_size / len(splits['unlabelled'])
        print(f'training reads the unlabelled images {drawn:.1f} times')
    texts['classes.txt'] = list_text(names)
    texts['statistics.json'] = json.dumps(report, indent=2) + '\n'
    for split, members in splits.items():
        texts[f'splits/{split}.txt'] = list_text(members)
    print(
        f'{args.iters} iterations at {scale[0]}x{scale[1]}, crops of '
        f'{crop_size[1]}x{crop_size[0]} pixels; files beside img_dir and '
        f'ann_dir in {args.out}: {", ".join(texts)}'
    )
    return texts


def run(args: argparse.Namespace) -> None:
    """Check everything, then write the data set.

    Args:
        args (argparse.Namespace): Command line.

    Raises:
        ValueError: If settings and files do not fit together.
        OSError: If a file cannot be read or written.
    """
    with named('out'):
        if args.out.exists() and any(args.out.iterdir()):
            raise ValueError(f'{args.out} is not empty; choose another folder')
    apart = [args.out] if args.masks is None else [args.out, args.masks]
    mask_ending = _mask_ending(args)
    with named('images'):
        images = find_images(args.images, mask_ending, apart)
    with named('--classes'):
        classes = read_class_names(args.classes)
    # Wrong names in a list should be found before all images are read.
    lists = read_lists(args)
    annotations = open_annotations(args, images, classes)
    names = agreed_names(classes, annotations.classes)
    if annotations.orphans:
        things = counted(
            len(annotations.orphans), 'annotation is', 'annotations are'
        )
        print(
            f'{things} unusable or without an image:',
            *annotations.orphans,
            sep='\n  ',
        )
    suffix = '' if args.range else common_suffix(images.values())
    if args.link and not suffix:
        raise ValueError(
            '--link needs images of one format and no --range. Without '
            '--link all are written as PNG'
        )
    items = [FolderItem(n, p, n in annotations) for n, p in images.items()]
    items, reports = check_items(args, items, annotations, names)
    splits = divide(args, items, reports, lists)
    used = set().union(*splits.values())
    items = [item for item in items if item.name in used]
    found = [
        report.pixels
        for report in reports.values()
        if report.pixels is not None and not report.problem
    ]
    names = names_of_ids(np.sum(found, axis=0), names)
    texts = make_texts(
        args, splits, reports, names, annotations.palette, suffix
    )
    if args.dry_run:
        print('nothing was written (--dry-run)')
        return
    split_of = {n: s for s in HELD_OUT for n in splits.get(s, ())}
    for item in with_bar(items):
        split = split_of.get(item.name, 'train')
        write_item(
            item, annotations, args.out, split, suffix, args.link, args.range
        )
    (args.out / 'splits').mkdir()
    for name, text in texts.items():
        (args.out / name).write_text(text, 'utf-8')
    best = 'rml.py' if 'rml.py' in texts else 'supervised.py'
    config = shlex.quote(str(args.out / best))
    print(f'{args.out} is ready: python tools/train.py {config}')


def main() -> None:
    """Run the tool; errors end it with a message."""
    try:
        run(parse_args())
    except (ValueError, OSError, ModuleNotFoundError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
