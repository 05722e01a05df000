"""Seeded splits of a training set into labelled and unlabelled images.

A split is a prefix of one permutation of the sorted image names, so that
the splits of one seed are nested: images that are labelled in a smaller split
are labelled in a larger one, too. On Cityscapes this is the rule of
CutMix-Seg (the paper's [59]), and the same seeds give the same images; see
``published_splits``.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, Union

import numpy as np

#: Written to every provenance file; increase it when the rule changes.
SPLIT_TOOL_VERSION = 1
PROVENANCE_FILE = 'provenance.json'


def labelled_count(total: int, ratio: Union[str, float, Fraction]) -> int:
    """Number of labelled images for a share of a data set, rounding half up.

    The rule gives 12, 46 and 92 of CamVid's 367 images for 1/30, 1/8 and
    1/4, and the paper's counts on VOC and Cityscapes, except that the paper
    has 100 images for 1/30 of Cityscapes, not 99: give that count itself.

    Args:
        total (int): Number of images in the training set.
        ratio (str | float | Fraction): Share in (0, 1), such as ``'1/8'``.

    Raises:
        ValueError: If the ratio cannot be read, lies outside (0, 1), or
            leaves no image on one of the two sides.
    """
    try:
        share = Fraction(ratio)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f'ratio must be a share such as 1/8 or 0.125, got {ratio!r}'
        ) from error
    if not 0 < share < 1:
        raise ValueError(f'ratio must lie between 0 and 1, got {ratio}')
    count = int(total * share + Fraction(1, 2))
    if not 0 < count < total:
        raise ValueError(
            f'ratio {ratio} of {total} images labels {count} of them; it '
            f'must label at least one and leave at least one'
        )
    return count


def check_names(names: Iterable[str], source: str = 'names') -> list[str]:
    """List the names, after a check that each stays below the data prefix.

    Raises:
        ValueError: If there is no name, or one is empty, listed twice or
            absolute, begins or ends with a blank, or contains a line break,
            a zero byte or a ``..`` component. The message names ``source``
            and an example.
    """
    listed = list(names)
    if not listed:
        raise ValueError(f'{source}: no image name found')
    seen: set[str] = set()
    for name in listed:
        if not name or name != name.strip() or len(name.splitlines()) > 1:
            raise ValueError(
                f'{source}: {name!r} is not an image name: it must be one '
                f'line without spaces around it'
            )
        if '\0' in name:
            raise ValueError(
                f'{source}: {name!r} is not an image name: file names have '
                'no zero bytes'
            )
        windows_drive = len(name) > 1 and name[1] == ':'
        if name.startswith(('/', '\\', '~')) or windows_drive:
            raise ValueError(
                f'{source}: {name!r} is an absolute path; names must be '
                f'relative to the data prefix'
            )
        if '..' in PurePosixPath(name.replace('\\', '/')).parts:
            raise ValueError(
                f"{source}: {name!r} leaves the data prefix by '..'; names "
                f'must stay inside it'
            )
        if name in seen:
            raise ValueError(f'{source}: {name!r} is listed twice')
        seen.add(name)
    return listed


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Permute the sorted names; every split is a prefix of this order.

    numpy's legacy generator gives the same stream in every version of numpy.

    Args:
        names (Iterable[str]): Image names; their order does not matter.
        seed (int): Seed of ``numpy.random.RandomState``.
    """
    ordered = sorted(check_names(names))
    permutation = np.random.RandomState(seed).permutation(len(ordered))
    return [ordered[index] for index in permutation]


def permuted_order(names: Iterable[str], permutation: np.ndarray) -> list[str]:
    """Sorted names in the order of a given permutation.

    Raises:
        ValueError: If the permutation does not have each index once.
    """
    ordered = sorted(check_names(names))
    if sorted(permutation.tolist()) != list(range(len(ordered))):
        raise ValueError(
            f'the permutation has {permutation.size} entries and must have '
            f'each of 0..{len(ordered) - 1} once, one for each name'
        )
    return [ordered[index] for index in permutation]


def class_cover(
    order: Sequence[str], classes: Mapping[str, Collection[int]]
) -> list[str]:
    """Choose a few names in which every class occurs.

    Greedily, the next name is the one with the most classes not covered so
    far; among equals, the first one in ``order``.

    Args:
        order (Sequence[str]): Names in seeded order.
        classes (Mapping): The classes present in each name's mask.
    """
    missing = set().union(*(classes[name] for name in order))
    remaining = list(order)
    head: list[str] = []
    while missing:
        best = max(remaining, key=lambda name: len(missing & {*classes[name]}))
        head.append(best)
        remaining.remove(best)
        missing -= {*classes[best]}
    return head


def class_covering_order(
    order: Sequence[str], classes: Mapping[str, Collection[int]]
) -> list[str]:
    """Order that begins with a :func:`class_cover`.

    The other names keep their order, so that prefixes stay nested.

    Args:
        order (Sequence[str]): Names in seeded order.
        classes (Mapping): The classes present in each name's mask.
    """
    head = class_cover(order, classes)
    known = set(head)
    return head + [name for name in order if name not in known]


def split_order(
    order: Sequence[str],
    count: int,
    include_labelled: bool = False,
    held_out: int = 0,
    spare: bool = False,
    kind: str = 'images',
) -> dict[str, list[str]]:
    """First ``count`` names as ``labelled``, the others as ``unlabelled``.

    Args:
        order (Sequence[str]): All names, in seeded order.
        count (int): Number of labelled images.
        include_labelled (bool): Whether the labelled images are listed as
            unlabelled, too, so that the unsupervised loss sees them.
            Default: False.
        held_out (int): Number of names at the end of the order that go to
            neither list but to a third one, ``held_out``: images to choose
            checkpoints and settings by. All splits of one seed hold out the
            same ones. With some, no image need be unlabelled. Default: 0.
        spare (bool): Whether there are other, unlabelled images elsewhere,
            so that all of these may be labelled. Default: False.
        kind (str): What the names stand for, in errors. Default:
            ``'images'``.

    Raises:
        ValueError: If count leaves no image on one of the two sides, or
            held_out is negative.
    """
    if held_out < 0:
        raise ValueError(f'held_out must be 0 or more, got {held_out}')
    most = len(order) - (held_out if held_out or spare else 1)
    if most < 1:
        raise ValueError(
            f'{len(order)} {kind} are too few: {held_out} are held out, and '
            'at least one must be labelled'
            if held_out
            else f'{len(order)} {kind} are too few: at least one must be '
            'labelled and one unlabelled'
        )
    if not 0 < count <= most:
        aside = f', {held_out} of them held out' if held_out else ''
        raise ValueError(
            f'count must be between 1 and {most} of {len(order)} {kind}'
            f'{aside}, got {count}'
        )
    end = len(order) - held_out
    lists = {
        'labelled': list(order[:count]),
        'unlabelled': list(order[0 if include_labelled else count : end]),
    }
    if held_out:
        lists['held_out'] = list(order[end:])
    return lists


def check_disjoint(
    lists: Mapping[str, Iterable[str]], kind: str = 'images'
) -> None:
    """Refuse lists that share a name.

    Args:
        lists (Mapping): Names by title.
        kind (str): What the names stand for, in errors. Default:
            ``'images'``.

    Raises:
        ValueError: If two lists share a name; gives the titles of both and
            up to three examples.
    """
    sets = [(title, set(names)) for title, names in lists.items()]
    for index, (title, names) in enumerate(sets):
        for other_title, others in sets[index + 1 :]:
            shared = sorted(names & others)
            if shared:
                raise ValueError(
                    f'{title} and {other_title} share {len(shared)} {kind}, '
                    f'but must share none, for example '
                    f'{", ".join(shared[:3])}'
                )


def list_text(names: Iterable[str]) -> str:
    """Text of a list file: one name per line, each ending in a newline."""
    return ''.join(f'{name}\n' for name in names)


def names_md5(names: Iterable[str]) -> str:
    """First twelve digits of the md5 of a list file's text."""
    text = list_text(names).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()[:12]


def write_split(
    folder: Union[Path, str],
    lists: Mapping[str, Sequence[str]],
    provenance: Mapping[str, Any],
    force: bool = False,
) -> list[Path]:
    """Write list files ``{title}.txt`` and a ``provenance.json`` beside them.

    Args:
        folder (Path | str): Folder to write to, created if missing.
        lists (Mapping): Names by title, such as ``labelled``.
        provenance (Mapping): Source, seed, rule and so on; the count and
            the checksums of each list and the tool's version are added.
        force (bool): Whether other lists of the same title may be
            overwritten. Default: False.

    Returns:
        list[Path]: The files, provenance last.

    Raises:
        FileExistsError: If a file holds another list and ``force`` is False.
    """
    folder = Path(folder)
    texts = {
        folder / f'{title}.txt': list_text(check_names(names, title))
        for title, names in lists.items()
    }
    record = {
        **provenance,
        'tool': f'make_splits {SPLIT_TOOL_VERSION}',
        'lists': {
            path.name: {
                'count': len(lists[path.stem]),
                'md5': hashlib.md5(
                    text.encode(), usedforsecurity=False
                ).hexdigest(),
                'sha256': hashlib.sha256(text.encode()).hexdigest(),
            }
            for path, text in texts.items()
        },
    }
    texts[folder / PROVENANCE_FILE] = json.dumps(record, indent=2) + '\n'
    for path, text in texts.items():
        is_list = path.suffix == '.txt' and path.exists()
        if is_list and not force and path.read_bytes() != text.encode():
            raise FileExistsError(
                f'{path} holds another list. Use --force (force=True) '
                f'to overwrite it, or choose another folder'
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_bytes(text.encode())
    return list(texts)
