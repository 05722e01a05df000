r"""Labelled and unlabelled image lists for semi-supervised training.

Examples::

    # an eighth of CamVid, seeded
    python tools/dataset_converters/make_splits.py \
        --images data/camvid/img_dir/train --ratio 1/8 --seed 0 \
        --out data/camvid/splits/1-8_seed0

    # the same labels, and a tenth of the images to choose checkpoints by
    python tools/dataset_converters/make_splits.py \
        --images data/camvid/img_dir/train --ratio 1/8 --seed 0 \
        --held-out 37 --out data/camvid/splits/1-8_seed0_held-out

    # seven labelled patients, whose slices are named patient007_slice03
    python tools/dataset_converters/make_splits.py \
        --images data/mine/img_dir/train --group '^[^_]+' --count 7 --seed 0 \
        --out data/mine/splits/7_patients

    # one of the paper's Cityscapes splits (372 images, CutMix-Seg's seed)
    python tools/dataset_converters/make_splits.py \
        --images data/cityscapes/leftImg8bit/train \
        --img-suffix _leftImg8bit.png --count 372 --seed 12345 \
        --out data/cityscapes/splits/1-8_seed12345

    # the paper's VOC split, from CutMix-Seg's split_0.pkl
    python tools/dataset_converters/make_splits.py --names train_aug.txt \
        --permutation split_0.pkl --count 529 --out data/voc/splits/1-20

    # 92 of VOC's own 1464 images, all others of train_aug.txt unlabelled
    python tools/dataset_converters/make_splits.py --names train.txt \
        --unlabelled-names train_aug.txt --count 92 --seed 0 \
        --out data/voc/splits/92_seed0

    # lists of UniMatch, ST++, CPS or DMT
    python tools/dataset_converters/make_splits.py \
        --labelled-list labeled.txt --unlabelled-list unlabeled.txt \
        --img-prefix JPEGImages --out data/voc/splits/unimatch_1-8
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any, Optional

import mmcv
import numpy as np

from rml_mmseg.datasets import published_splits, split_readers, splits
from rml_mmseg.datasets.folder_files import IMAGE_SUFFIXES
from rml_mmseg.datasets.name_groups import (
    classes_of,
    group_lines,
    group_members,
    group_names,
)
from rml_mmseg.datasets.progress_bar import with_bar


def parse_args(argv: Optional[list[str]] = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--images', type=Path, help='folder of all training images')
    add('--names', type=Path, help='list of all training images')
    add(
        '--unlabelled-names',
        type=Path,
        metavar='POOL',
        help='list or folder of images: exactly those of them that are '
        'neither labelled nor held out are unlabelled; labelled images need '
        'not be among them',
    )
    add('--labelled-list', type=Path, help='labelled list to convert')
    add('--unlabelled-list', type=Path, help='unlabelled list to convert')
    add('--out', type=Path, help='folder for the lists')
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        '--ratio', help='labelled share of all images, such as 1/8'
    )
    size.add_argument('--count', type=int, help='number of labelled images')
    add(
        '--group',
        metavar='PATTERN',
        help='regular expression for the part of a name that images of one '
        "patient, video or site share, such as '^[^_]+'; the first brackets "
        'select a part of the match. --ratio, --count and --held-out then '
        'count groups, and none is both in training and held out or in --val',
    )
    add(
        '--held-out',
        type=int,
        default=0,
        metavar='COUNT',
        help='put the last COUNT images of the order into held_out.txt, '
        'neither labelled nor unlabelled, for choosing checkpoints',
    )
    add('--seed', type=int, help='seed of the permutation')
    add('--permutation', type=Path, help='pickled permutation, not --seed')
    add('--img-suffix', help='default: the file extension')
    add('--img-prefix', default='', help='leading folders to remove')
    add(
        '--city-folders',
        action='store_true',
        help="put the city's folder before bare Cityscapes names",
    )
    add(
        '--stratify',
        action='store_true',
        help='include every class of --masks in the labelled images',
    )
    add(
        '--masks',
        type=Path,
        help='mask folder: images without a mask are unlabelled',
    )
    add('--mask-suffix', default='.png')
    add('--ignore-index', type=int, default=255)
    add('--unlabelled-includes-labelled', action='store_true')
    add(
        '--labelled-only',
        action='store_true',
        help='write no unlabelled list, to use the whole image folder',
    )
    add(
        '--val',
        type=Path,
        help='validation list or image folder that must not overlap',
    )
    add('--source', help="what the images are; default: the inputs' paths")
    add('--force', action='store_true', help='overwrite other lists')
    add(
        '--check-cityscapes',
        type=Path,
        metavar='NAMES',
        help='list of the 2975 training names: print the checksums of '
        "CutMix-Seg's splits and whether they match, write nothing",
    )
    return parser.parse_args(argv)


def read_any(path: Path, args: argparse.Namespace) -> list[str]:
    """Read the names of an image folder or a list file."""
    if path.is_dir():
        names = split_readers.find_names(path, args.img_suffix)
    else:
        names = split_readers.read_names(
            path, args.img_prefix, args.img_suffix
        )
    return (
        [published_splits.city_folder(n) for n in names]
        if args.city_folders
        else names
    )


def check_cityscapes(path: Path) -> bool:
    """Print published Cityscapes checksums and ours; return if all agree."""
    names = split_readers.read_names(path)
    print('seed   images  md5           published     ')
    right = True
    for seed, published in published_splits.CITYSCAPES_MD5.items():
        order = splits.seeded_order(names, seed)
        for count, expected in zip(
            published_splits.CITYSCAPES_SIZES, published
        ):
            md5 = published_splits.labelled_md5(order, count)
            verdict = 'same' if md5 == expected else 'DIFFERENT'
            right = right and md5 == expected
            print(f'{seed}  {count:6d}  {md5}  {expected}  {verdict}')
    return right


def names_with_masks(names: list[str], args: argparse.Namespace) -> list[str]:
    """Names that have a file in ``--masks``; all names without the option."""
    if args.masks is None:
        return names
    found = [n for n in names if mask_path(n, args).is_file()]
    if not found:
        raise FileNotFoundError(
            f'--masks: none of {len(names)} images has a mask in '
            f'{args.masks}, such as {mask_path(names[0], args)}. Check '
            '--mask-suffix'
        )
    if len(found) < len(names):
        print(
            f'{len(names) - len(found)} of {len(names)} images have no mask, '
            'so they are unlabelled'
        )
    return found


def mask_path(name: str, args: argparse.Namespace) -> Path:
    """Path of an image's mask."""
    path: Path = args.masks / f'{name}{args.mask_suffix}'
    return path


def mask_classes(
    names: list[str], args: argparse.Namespace
) -> dict[str, set[int]]:
    """Classes in the mask of each name, without the ignored index."""
    if args.masks is None:
        raise ValueError('--stratify needs --masks, the folder of the masks')
    classes = {}
    for name in with_bar(names):
        path = mask_path(name, args)
        # Pillow, because OpenCV turns a palette's indices into colours.
        mask = mmcv.imread(path, flag='unchanged', backend='pillow')
        if mask.ndim != 2:
            raise ValueError(
                f'{path} must be a single-channel mask of class indices, '
                f'but has shape {mask.shape}'
            )
        classes[name] = set(np.unique(mask).tolist()) - {args.ignore_index}
    return classes


def ordered(
    args: argparse.Namespace,
    members: dict[str, list[str]],
    count: int,
    masked: list[str],
) -> tuple[list[str], str]:
    """Order the groups, those to label first; also return the rule."""
    if args.permutation is not None:
        permutation = split_readers.read_permutation(args.permutation)
        order = splits.permuted_order(members, permutation)
        rule = f'sorted names in the order of {args.permutation.name}'
    else:
        order = splits.seeded_order(members, args.seed)
        rule = 'sorted names, numpy.random.RandomState(seed).permutation'
    if args.stratify:
        classes = classes_of(members, mask_classes(masked, args))
        order = splits.class_covering_order(order, classes)
        rule += '; first a greedy cover of the classes'
        absent = set().union(*classes.values()) - set().union(
            *(classes[name] for name in order[:count])
        )
        if absent:
            print(
                f'no labelled image shows the classes {sorted(absent)}: '
                f'{count} {kind_of(args)} are too few to cover all'
            )
    return order, rule + '; the labelled images come first'


def kind_of(args: argparse.Namespace) -> str:
    """Noun for what is drawn: groups or images."""
    return 'groups' if args.group else 'images'


def draw(args: argparse.Namespace) -> tuple[dict[str, list[str]], dict]:
    """Draw lists from a pool of images; also return their provenance."""
    pool = args.images or args.names
    if (args.seed is None) == (args.permutation is None):
        raise ValueError('give one of --seed and --permutation')
    if args.ratio is None and args.count is None:
        raise ValueError('give the labelled share by --ratio or --count')
    names = read_any(pool, args)
    masked = names_with_masks(names, args)
    groups = group_names(names, args.group) if args.group else {}
    members = group_members(masked, groups)
    count = args.count
    if count is None:
        total = len(group_members(names, groups))
        count = splits.labelled_count(total, args.ratio)
        if count + args.held_out > len(members):
            raise ValueError(
                f'--ratio {args.ratio} of all {total} {kind_of(args)} labels '
                f'{count}, but of {len(members)} that can be labelled '
                f'--held-out takes {args.held_out}. Lower one of them'
            )
    order, rule = ordered(args, members, count, masked)
    drawn = splits.split_order(
        order,
        count,
        args.unlabelled_includes_labelled,
        args.held_out,
        args.unlabelled_names is not None or len(masked) < len(names),
        kind_of(args),
    )
    lists = {
        title: [name for group in own for name in members[group]]
        for title, own in drawn.items()
    }
    known, held_out = set(masked), set(drawn.get('held_out', ()))
    unmasked = [name for name in names if name not in known]
    kept = [n for n in unmasked if groups.get(n, n) not in held_out]
    lists['unlabelled'] += kept
    provenance: dict[str, Any] = {
        'source': args.source or str(pool),
        'source_count': len(names),
        'source_md5': splits.names_md5(sorted(names)),
        'seed': args.seed,
        'labelled': args.ratio or args.count,
        'rule': rule,
        'unlabelled_includes_labelled': args.unlabelled_includes_labelled,
    }
    if args.held_out:
        provenance['rule'] += ', the held-out ones last'
    if unmasked:
        provenance['with_mask'] = len(masked)
        provenance['rule'] += '; images without a mask are unlabelled'
    if args.group:
        print(group_lines(members))
        if held_out and unmasked:
            print(
                f'held out: {", ".join(sorted(held_out))}; '
                f'{len(unmasked) - len(kept)} images of these have no mask '
                'and are left out'
            )
        provenance['group'] = args.group
        provenance['groups'] = {
            title: len(own) for title, own in drawn.items()
        }
    return lists, provenance


def convert(args: argparse.Namespace) -> tuple[dict[str, list[str]], dict]:
    """Read lists of another project; also return their provenance."""
    sources = {
        'labelled': args.labelled_list,
        'unlabelled': args.unlabelled_list,
    }
    given = {title: path for title, path in sources.items() if path}
    lists = {title: read_any(path, args) for title, path in given.items()}
    listed = ', '.join(str(path) for path in given.values())
    return lists, {'source': args.source or listed, 'rule': 'as listed'}


def same_images(some: list[str], others: list[str]) -> bool:
    """Whether some names equal others but for leading folders or suffixes."""
    suffix = re.compile(
        f'({"|".join(IMAGE_SUFFIXES)})$'.replace('.', '[.]'), re.I
    )
    bare = [[suffix.sub('', name)] for name in (*some, *others)]
    for names in bare:
        parts = names[0].split('/')
        names += ['/'.join(parts[i:]) for i in range(1, len(parts))]
    few, many = bare[: len(some)], bare[len(some) :]
    whole, ends = {names[0] for names in many}, {n for b in many for n in b}
    return any(b[0] in ends or whole.intersection(b) for b in few)


def take_pool(
    args: argparse.Namespace, lists: dict[str, list[str]], provenance: dict
) -> None:
    """Make the other images of ``--unlabelled-names`` unlabelled, in place.

    Raises:
        ValueError: If there are none, names have another form than those of
            labelled images, or another option sets the unlabelled images.
    """
    path = args.unlabelled_names
    for option in ('unlabelled_list', 'labelled_only'):
        if getattr(args, option):
            raise ValueError(
                '--unlabelled-names sets the unlabelled images. Leave out '
                f'--{option.replace("_", "-")}'
            )
    pool = read_any(path, args)
    labelled, known = lists['labelled'], set(pool)
    taken = {*labelled, *lists.get('held_out', ())}
    others = [name for name in pool if name not in taken]
    if args.group:
        held_out = group_names(lists.get('held_out', ()), args.group).values()
        groups = group_names(pool, args.group)
        others = [name for name in others if groups[name] not in held_out]
    if not others:
        raise ValueError(
            f'--unlabelled-names: all {len(pool)} images of {path} are '
            'labelled or held out. Give a list of more images'
        )
    among = sum(name in known for name in labelled)
    if not among and same_images(labelled, pool):
        raise ValueError(
            f'--unlabelled-names: names of {path} have another form than '
            f'{labelled[0]!r}, such as {pool[0]!r}, so labelled images '
            'would count as unlabelled. Use one form for both, or remove '
            'folder and suffix by --img-prefix and --img-suffix'
        )
    print(f'{among} of {len(labelled)} labelled images are in {path}')
    left_out = set(lists.get('unlabelled', ())) - known - {*labelled}
    if left_out:
        print(f'{len(left_out)} others are not in {path} and are left out')
    include = args.unlabelled_includes_labelled
    lists['unlabelled'] = [*labelled, *others] if include else others
    provenance['unlabelled_source'] = str(path)
    provenance['unlabelled_source_count'] = len(pool)
    provenance['unlabelled_source_md5'] = splits.names_md5(sorted(pool))
    provenance['rule'] += '; others of the unlabelled source are unlabelled'


def main(argv: Optional[list[str]] = None) -> int:
    """Run the tool and return its exit status."""
    args = parse_args(argv)
    try:
        if args.check_cityscapes:
            return 0 if check_cityscapes(args.check_cityscapes) else 1
        inputs = (args.images, args.names, args.labelled_list)
        if sum(path is not None for path in inputs) != 1 or not args.out:
            raise ValueError(
                'give one of --images, --names and --labelled-list, and '
                '--out, the folder to write to'
            )
        lists, provenance = (convert if args.labelled_list else draw)(args)
        if args.unlabelled_names:
            take_pool(args, lists, provenance)
        if args.labelled_only:
            del lists['unlabelled']
        published = published_splits.published_split(lists['labelled'])
        if published:
            provenance['published'] = published
        checked = dict(lists)
        if args.unlabelled_includes_labelled and 'unlabelled' in checked:
            del checked['labelled']
        if args.val:
            checked['validation'] = read_any(args.val, args)
        splits.check_disjoint(checked)
        if args.group:
            sides: dict[str, set[str]] = {}
            for title, names in checked.items():
                # A labelled patient's images without a mask are unlabelled.
                lists_of_training = ('labelled', 'unlabelled')
                side = 'training' if title in lists_of_training else title
                groups = group_names(names, args.group).values()
                sides.setdefault(side, set()).update(groups)
            splits.check_disjoint(sides, 'groups')
        paths = splits.write_split(args.out, lists, provenance, args.force)
    except (ValueError, OSError) as error:
        print(f'make_splits: {error}', file=sys.stderr)
        return 2
    for title, names in lists.items():
        print(f'{title}: {len(names)} images, md5 {splits.names_md5(names)}')
    print(f'written: {", ".join(str(path) for path in paths)}')
    if 'published' in provenance:
        print(f'The labelled list is {provenance["published"]}.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
