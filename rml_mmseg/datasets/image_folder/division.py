"""Division of labelled images into training, validation and test sets."""

from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np

from ..counted import counted
from ..name_groups import classes_of, group_members
from ..splits import class_cover
from .item_report import ItemReport

# Splits that are not trained on: one to choose a checkpoint, one to score it.
HELD_OUT = ('val', 'test')


def choose_held_out(
    split: str,
    labelled: Sequence[str],
    fraction: float,
    generator: np.random.Generator,
    classes: Optional[Mapping[str, set[int]]] = None,
    groups: Optional[Mapping[str, str]] = None,
) -> list[str]:
    """Choose random labelled images to hold out from training.

    Args:
        split (str): ``'val'`` or ``'test'``, the split they are for.
        labelled (Sequence[str]): Names of all labelled images.
        fraction (float): Fraction of them in [0, 1); above 0 at least one
            image is chosen.
        generator (np.random.Generator): Source of randomness.
        classes (Mapping[str, set[int]], optional): Classes that each image
            shows. As far as possible, images stay in training that together
            show all of them.
        groups (Mapping[str, str], optional): Group of each image. Groups are
            chosen as a whole, so that their images may be slightly more or
            fewer than the fraction. By default each image is its own group.

    Returns:
        list[str]: Sorted names.

    Raises:
        ValueError: If the fraction is out of range or leaves no labelled
            image for training.
    """
    if not 0 <= fraction < 1:
        raise ValueError(
            f'--{split}-fraction must be in [0, 1), but is {fraction}'
        )
    count = max(round(fraction * len(labelled)), int(fraction > 0))
    if labelled and count >= len(labelled):
        raise ValueError(
            f'{split} takes {count} of {len(labelled)} labelled images, '
            'which leaves none for training. Label more, or lower '
            f'--{split}-fraction'
        )
    if not count:
        return []
    members = group_members(labelled, groups or {})
    keys = list(members)
    order = [keys[i] for i in generator.permutation(len(keys))]
    needed: list[str] = []
    if classes is not None:
        needed = class_cover(order, classes_of(members, classes))
    kept = set(needed)
    chosen: list[str] = []
    large = []
    for key in reversed([key for key in order if key not in kept]):
        if len(chosen) + len(members[key]) <= count:
            chosen += members[key]
        else:
            large.append(key)
    for key in () if large else reversed(needed):
        if len(chosen) + len(members[key]) <= count:
            chosen += members[key]
    if len(chosen) < count and (large or not chosen):
        least = min(large or needed, key=lambda key: len(members[key]))
        over = len(chosen) + len(members[least]) - count
        if not chosen or over < count - len(chosen):
            chosen += members[least]
    if labelled and len(chosen) == len(labelled):
        raise ValueError(
            f'--group gives {counted(len(keys), "group")} of labelled images, '
            f'and {split} needs {count} of {len(labelled)} images, which '
            f'leaves no group for training. Set --{split}-fraction or '
            f'--{split}-list, or label images of more groups'
        )
    return sorted(chosen)


def check_groups(
    split: str,
    labelled: Sequence[str],
    chosen: Sequence[str],
    groups: Mapping[str, str],
) -> None:
    """Refuse a list for a split that divides a group.

    Args:
        split (str): ``'val'`` or ``'test'``.
        labelled (Sequence[str]): Names of all labelled images.
        chosen (Sequence[str]): Names in the list for this split.
        groups (Mapping[str, str]): Group of each image.

    Raises:
        ValueError: If a group is divided; names it and an image on each
            side.
    """
    held = {groups[name]: name for name in chosen}
    for name in sorted(set(labelled) - set(chosen)):
        if groups[name] in held:
            raise ValueError(
                f'--{split}-list splits the group {groups[name]!r}: it has '
                f'{held[groups[name]]!r}, but not {name!r}'
            )


def check_held_out(
    labelled: Sequence[str], lists: Mapping[str, Sequence[str]]
) -> None:
    """Check given lists of held-out images.

    Args:
        labelled (Sequence[str]): Names of all labelled images.
        lists (Mapping[str, Sequence[str]]): Names by ``'val'`` and
            ``'test'``.

    Raises:
        ValueError: If a list is empty, a name has no labelled image or is in
            two lists, or no image is left for training.
    """
    taken: dict[str, str] = {}
    for split, names in lists.items():
        if not names:
            raise ValueError(f'--{split}-list holds no name')
        _check_names(split, labelled, names)
        twice = sorted(name for name in names if name in taken)
        if twice:
            number = counted(len(twice), 'name is', 'names are')
            raise ValueError(
                f'--{split}-list: {number} also in --{taken[twice[0]]}-list, '
                f'such as {twice[0]!r}'
            )
        taken |= dict.fromkeys(names, split)
    if lists and len(taken) == len(labelled):
        options = ' and '.join(f'--{split}-list' for split in lists)
        raise ValueError(
            f'{options}: all {len(labelled)} labelled images are listed, '
            'which leaves none for training'
        )


def _check_names(
    split: str, labelled: Sequence[str], names: Sequence[str]
) -> None:
    unknown = sorted(set(names) - set(labelled))
    if unknown:
        raise ValueError(
            f'--{split}-list: '
            f'{counted(len(unknown), "name belongs", "names belong")} to no '
            f'image with a mask, such as {unknown[0]!r}. Names look like '
            f'{labelled[0]!r}, without suffix'
        )


def shared_images(
    splits: Mapping[str, Sequence[str]], reports: Mapping[str, ItemReport]
) -> list[str]:
    """Held-out images that are also in an earlier split under another name.

    Args:
        splits (Mapping[str, Sequence[str]]): Names of images by split.
        reports (Mapping[str, ItemReport]): Reports by name.

    Returns:
        list[str]: A line for each, with the name of the held-out image and
        of its twin: a training image or, for a test image, also one for
        validation.
    """
    seen: dict[str, str] = {}
    lines = []
    for split in ('labelled', 'unlabelled', 'val', 'test'):
        members = splits.get(split, ())
        if split in HELD_OUT:
            lines += [
                f'{name} ({split}) = {seen[reports[name].digest]}'
                for name in members
                if reports[name].digest in seen
            ]
        seen |= {reports[name].digest: name for name in members}
    return lines
