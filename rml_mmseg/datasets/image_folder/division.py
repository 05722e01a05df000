"""Which labelled images are for training and which for validation."""

from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np

from ..name_groups import classes_of, group_members
from ..splits import class_cover
from .item_report import ItemReport


def choose_val(
    labelled: Sequence[str],
    fraction: float,
    generator: np.random.Generator,
    classes: Optional[Mapping[str, set[int]]] = None,
    groups: Optional[Mapping[str, str]] = None,
) -> list[str]:
    """Random labelled images for validation.

    Args:
        labelled (Sequence[str]): Names of all labelled images.
        fraction (float): Fraction of them in [0, 1); above 0 at least one
            image is chosen.
        generator (np.random.Generator): Source of randomness.
        classes (Mapping[str, set[int]], optional): Classes that each image
            shows; what training needs to see all of them stays there, as
            far as there is room.
        groups (Mapping[str, str], optional): Group of each image. All of a
            group are chosen or none, so that they may be some more or fewer
            than the fraction. By default each is a group of its own.

    Returns:
        list[str]: Sorted names.

    Raises:
        ValueError: If the fraction is out of range or leaves no labelled
            image for training.
    """
    if not 0 <= fraction < 1:
        raise ValueError(
            f'--val-fraction must be in [0, 1), but is {fraction}'
        )
    count = max(round(fraction * len(labelled)), int(fraction > 0))
    if labelled and count >= len(labelled):
        raise ValueError(
            f'validation takes {count} of {len(labelled)} labelled images, '
            'which leaves none for training; label more, or set '
            '--val-fraction'
        )
    members = group_members(labelled, groups or {})
    keys = list(members)
    order = [keys[i] for i in generator.permutation(len(keys))]
    needed: list[str] = []
    if classes is not None:
        needed = class_cover(order, classes_of(members, classes))
    kept = set(needed)
    val: list[str] = []
    large = []
    for key in reversed([key for key in order if key not in kept]):
        if len(val) + len(members[key]) <= count:
            val += members[key]
        else:
            large.append(key)
    for key in () if large else reversed(needed):
        if len(val) + len(members[key]) <= count:
            val += members[key]
    if len(val) < count and (large or not val):
        least = min(large or needed, key=lambda key: len(members[key]))
        over = len(val) + len(members[least]) - count
        if not val or over < count - len(val):
            val += members[least]
    if labelled and len(val) == len(labelled):
        raise ValueError(
            f'--group gives {len(keys)} group(s) of labelled images, and '
            f'validation needs {count} of {len(labelled)} images, which '
            'leaves no group for training; set --val-fraction or '
            '--val-list, or label images of more groups'
        )
    return sorted(val)


def check_groups(
    labelled: Sequence[str], val: Sequence[str], groups: Mapping[str, str]
) -> None:
    """Refuse labelled images of one group on both sides.

    Args:
        labelled (Sequence[str]): Names of all labelled images.
        val (Sequence[str]): Those for validation.
        groups (Mapping[str, str]): Group of each image.

    Raises:
        ValueError: Naming such a group and an image on each side.
    """
    held = {groups[name]: name for name in val}
    for name in sorted(set(labelled) - set(val)):
        if groups[name] in held:
            raise ValueError(
                f'--val-list divides the group {groups[name]!r}: it has '
                f'{held[groups[name]]!r}, but not {name!r}'
            )


def check_val(labelled: Sequence[str], val: Sequence[str]) -> list[str]:
    """Check a given list of images for validation.

    Args:
        labelled (Sequence[str]): Names of all labelled images.
        val (Sequence[str]): Names for validation.

    Returns:
        list[str]: Sorted names.

    Raises:
        ValueError: If a name has no labelled image, or none is left for
            training.
    """
    unknown = sorted(set(val) - set(labelled))
    if unknown:
        raise ValueError(
            f'--val-list: {len(unknown)} names belong to no image with a '
            f'mask, the first being {unknown[0]!r}; names are like '
            f'{labelled[0]!r}, without suffix'
        )
    if len(set(val)) == len(labelled):
        raise ValueError(
            f'--val-list takes all {len(labelled)} labelled images, which '
            'leaves none for training'
        )
    return sorted(set(val))


def shared_images(
    splits: Mapping[str, Sequence[str]], reports: Mapping[str, ItemReport]
) -> list[str]:
    """Images for validation that training has under another name.

    Args:
        splits (Mapping[str, Sequence[str]]): Names of images by split.
        reports (Mapping[str, ItemReport]): Reports by name.

    Returns:
        list[str]: A line for each: a name in ``val`` and its twin.
    """
    trained = {
        reports[name].digest: name
        for split, members in splits.items()
        if split != 'val'
        for name in members
    }
    return [
        f'{name} = {trained[reports[name].digest]}'
        for name in splits['val']
        if reports[name].digest in trained
    ]
