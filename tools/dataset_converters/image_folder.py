"""Make a data set of any folder of images, some of which have masks."""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any, Optional

import mmengine
import numpy as np

from rml_mmseg.datasets.image_folder import (
    FolderItem,
    ItemReport,
    check_val,
    choose_val,
    common_suffix,
    inspect_item,
    scan_folder,
)
from rml_mmseg.datasets.image_folder_writer import (
    config_text,
    statistics,
    write_item,
)
from rml_mmseg.datasets.mask_decoding import (
    ColourTable,
    read_colour_table,
)


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(
        description='Bring a folder of images into the layout img_dir, '
        'ann_dir / train, val with lists of labelled, unlabelled and '
        'validation images. Images without a mask are the unlabelled ones. '
        'Everything is checked before anything is written.'
    )
    parser.add_argument('images', type=Path, help='folder of images')
    parser.add_argument('out', type=Path, help='folder of the data set')
    parser.add_argument('--masks', type=Path, help='folder of masks')
    parser.add_argument(
        '--mask-ending',
        default='',
        help='what masks have after the name of the image, as _mask',
    )
    parser.add_argument(
        '--classes',
        help='class names, separated by commas, or a file with one a line; '
        'without it, the names of the colour table or class_0, class_1, ...',
    )
    parser.add_argument(
        '--colour-table',
        type=Path,
        help='CSV (name,r,g,b[,id]) or JSON for masks that code classes by '
        'colour or by black and white',
    )
    parser.add_argument('--ignore-index', type=int, default=255)
    validation = parser.add_mutually_exclusive_group()
    validation.add_argument(
        '--val-fraction',
        type=float,
        default=0.2,
        help='fraction of the labelled images for validation (default: '
        '%(default)s)',
    )
    validation.add_argument(
        '--val-list', type=Path, help='file of names for validation'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the validation images'
    )
    parser.add_argument(
        '--link',
        action='store_true',
        help='symbolic links in place of copies, where nothing is decoded',
    )
    parser.add_argument(
        '--skip-bad', action='store_true', help='leave out what is wrong'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='check and count only'
    )
    args = parser.parse_args()
    if not 0 <= args.ignore_index <= 255:
        parser.error(
            f'--ignore-index must be 0 to 255, but is {args.ignore_index}'
        )
    return args


def class_names(
    classes: Optional[str],
    table: Optional[ColourTable],
    ignore_index: int = 255,
) -> Optional[tuple[str, ...]]:
    """Class names of the settings, or None if the masks must tell.

    Args:
        classes (str, optional): Names, or a file of names.
        table (ColourTable, optional): The colour table.
        ignore_index (int): Id of ignored pixels. Defaults to 255.

    Raises:
        ValueError: If a name stands twice or the table has more classes.
    """
    given = table.class_names(ignore_index) if table is not None else None
    if classes is None:
        return given
    path = Path(classes)
    is_file = path.is_file()
    text = path.read_text('utf-8') if is_file else classes
    parts = text.splitlines() if is_file else text.split(',')
    names = tuple(part.strip() for part in parts if part.strip())
    if len(set(names)) != len(names) or not names:
        raise ValueError(f'--classes must be different names, but is {names}')
    if given is not None and len(given) != len(names):
        raise ValueError(
            f'--classes names {len(names)} classes, but the colour table '
            f'{len(given)}'
        )
    return names


def names_of_ids(pixels: np.ndarray, ignore_index: int) -> tuple[str, ...]:
    """Names for the ids that the masks hold.

    Args:
        pixels (np.ndarray): Pixels of each id, (256,).
        ignore_index (int): Id of ignored pixels.

    Raises:
        ValueError: If there are fewer than two classes, or gaps.
    """
    ids = [i for i in np.flatnonzero(pixels).tolist() if i != ignore_index]
    if len(ids) < 2 or ids != list(range(len(ids))):
        raise ValueError(
            f'the masks hold the ids {ids} beside {ignore_index} for '
            'ignored, but 0, 1, ... without gaps are needed. Name all '
            'classes with --classes if some are rare; for black-and-white '
            'masks or other values give a --colour-table, such as '
            'name,r,g,b / background,0,0,0 / object,255,255,255'
        )
    return tuple(f'class_{index}' for index in ids)


def _inspect(
    items: list[FolderItem], args: argparse.Namespace, **settings: Any
) -> tuple[list[FolderItem], np.ndarray, dict[str, ItemReport]]:
    """Sound items, pixels of each id over all masks, and all reports."""
    check = partial(inspect_item, ignore_index=args.ignore_index, **settings)
    reports = {r.name: r for r in mmengine.track_progress(check, items)}
    print()
    bad = [report.problem for report in reports.values() if report.problem]
    if bad:
        print(f'{len(bad)} images or masks are wrong:', *bad, sep='\n  ')
        if not args.skip_bad:
            raise SystemExit(
                'error: nothing was written (--skip-bad leaves them out)'
            )
    sound = [item for item in items if not reports[item.name].problem]
    pixels = np.zeros(256, dtype=np.int64)
    for report in reports.values():
        if report.pixels is not None:
            pixels += report.pixels
    return sound, pixels, reports


def _show(report: dict) -> None:
    for split, found in report.items():
        print(f'{split}: {found["images"]} images')
        for name, row in found.get('classes', {}).items():
            print(
                f'  {name:<20}{100 * row["share"]:6.2f} % of the pixels, in '
                f'{row["images"]} images'
            )


def run(args: argparse.Namespace) -> None:
    """Check everything, then write it.

    Args:
        args (argparse.Namespace): Command line.

    Raises:
        ValueError: If settings and files do not fit together.
        OSError: If something is missing or cannot be written.
    """
    if args.out.exists() and any(args.out.iterdir()):
        raise FileExistsError(
            f'{args.out} is not empty; choose another folder'
        )
    items, orphans = scan_folder(args.images, args.masks, args.mask_ending)
    if orphans:
        print(
            f'{len(orphans)} masks belong to no image:', *orphans, sep='\n  '
        )
    suffix = common_suffix(items)
    if args.link and not suffix:
        raise ValueError(
            '--link needs images of one format, but there are several; '
            'without it all are written as PNG'
        )
    table = None
    if args.colour_table is not None:
        table = read_colour_table(args.colour_table, args.ignore_index)
    names = class_names(args.classes, table, args.ignore_index)
    items, pixels, reports = _inspect(
        items, args, table=table, num_classes=names and len(names)
    )

    labelled = [item.name for item in items if item.mask is not None]
    if not labelled:
        raise ValueError(
            'no image has a mask; --masks and --mask-ending say where the '
            'masks are'
        )
    if names is None:
        names = names_of_ids(pixels, args.ignore_index)
    if args.val_list is not None:
        wanted = args.val_list.read_text('utf-8').split('\n')
        val = check_val(labelled, [w.strip() for w in wanted if w.strip()])
    else:
        generator = np.random.default_rng(args.seed)
        val = choose_val(labelled, args.val_fraction, generator)
    splits = dict(
        labelled=sorted(set(labelled) - set(val)),
        unlabelled=[item.name for item in items if item.mask is None],
        val=val,
    )
    report = statistics(splits, reports, names, args.ignore_index)
    _show(report)
    if args.dry_run:
        print('nothing was written (--dry-run)')
        return

    write = partial(
        _write_one,
        out=args.out,
        val=frozenset(val),
        suffix=suffix,
        link=args.link,
        table=table,
    )
    mmengine.track_progress(write, items)
    (args.out / 'splits').mkdir()
    for split, members in splits.items():
        lines = ''.join(f'{name}\n' for name in members)
        (args.out / 'splits' / f'{split}.txt').write_text(lines, 'utf-8')
    (args.out / 'statistics.json').write_text(
        json.dumps(report, indent=2) + '\n', 'utf-8'
    )
    palette = table.palette(args.ignore_index) if table is not None else None
    config = args.out / 'dataset_config.py'
    config.write_text(
        config_text(
            args.out, suffix or '.png', names, palette, args.ignore_index
        ),
        'utf-8',
    )
    print(f'\n{args.out} is ready; {config} is its config')


def _write_one(item: FolderItem, val: frozenset, **settings: Any) -> None:
    split = 'val' if item.name in val else 'train'
    write_item(item, split=split, **settings)


def main() -> None:
    """Run the tool; problems end it with a message."""
    try:
        run(parse_args())
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
