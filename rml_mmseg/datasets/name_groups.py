"""Groups of images that belong together, such as those of one patient."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from .counted import counted


def group_names(names: Iterable[str], pattern: str) -> dict[str, str]:
    """Find the group that each image belongs to, such as its patient.

    Args:
        names (Iterable[str]): Names of images, without suffix.
        pattern (str): Regular expression for the part of a name that the
            images of a group share; only its first capturing group, if any.

    Returns:
        dict[str, str]: Group, which is that part, by name.

    Raises:
        ValueError: If the pattern is not a regular expression, or is not
            found in a name.
    """
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise ValueError(
            f"--group '{pattern}' is not a regular expression: {error}"
        ) from error
    found = {name: search(name) for name in names}
    strange = [name for name, match in found.items() if not match]
    if strange:
        raise ValueError(
            f"--group '{pattern}' does not match "
            f'{counted(len(strange), "name")}, such as '
            f'{strange[0]!r}'
        )
    return {
        name: match[min(match.re.groups, 1)] or ''
        for name, match in found.items()
        if match
    }


def group_members(
    names: Iterable[str], groups: Mapping[str, str]
) -> dict[str, list[str]]:
    """The images of each group, in their given order.

    Args:
        names (Iterable[str]): Names of images.
        groups (Mapping[str, str]): Group by name; an image that is not in
            it is a group of its own.
    """
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(groups.get(name, name), []).append(name)
    return members


def group_lines(members: Mapping[str, Sequence[str]], most: int = 8) -> str:
    """Describe the groups, so that the user notices a wrong pattern.

    Args:
        members (Mapping): Names of images by group.
        most (int): Largest number of groups to name. Defaults to 8.
    """
    sizes = [len(own) for own in members.values()]
    shown = [f'{key} ({len(own)})' for key, own in members.items()][:most]
    rest = ', ...' if len(members) > most else ''
    several = f'{min(sizes)} to ' if min(sizes) < max(sizes) else ''
    text = (
        f'{counted(len(members), "group")} of {several}'
        f'{counted(max(sizes), "image")}: {", ".join(shown)}{rest}'
    )
    single = sizes.count(1)
    if single:
        text += (
            f'\nwarning: {counted(single, "group has", "groups have")} only '
            'one image: if these images belong together, --group matches '
            'a part in which their names differ'
        )
    return text


def classes_of(
    members: Mapping[str, Iterable[str]],
    classes: Mapping[str, Collection[int]],
) -> dict[str, set[int]]:
    """Classes that the images of each group show.

    Args:
        members (Mapping): Names of images by group.
        classes (Mapping): Classes of each image.
    """
    return {
        group: set().union(*(classes[name] for name in own))
        for group, own in members.items()
    }
