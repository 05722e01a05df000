"""Checksums of the splits that the paper takes from CutMix-Seg ([59]).

They tell whether a list made here is the published one.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Optional

from rml_mmseg.datasets.splits import names_md5

#: Labelled images of Cityscapes in the paper: 1/30, 1/8 and 1/4 of 2975.
CITYSCAPES_SIZES = (100, 372, 744)
#: First twelve digits of :func:`names_md5` of CutMix-Seg's labelled images,
#: by seed, for each of :data:`CITYSCAPES_SIZES`; names without their folder.
CITYSCAPES_MD5: dict[int, tuple[str, str, str]] = {
    12345: ('f90fc7804d44', '8e924871e41f', '2e7cd3ee6cca'),
    23456: ('ba54d97a2df6', '7af018c42d28', '63fb3749414e'),
    34567: ('47f0ce2db36d', 'b626354d0e46', '0281ebd685b6'),
    45678: ('72285718b57b', '18dad5ef11e9', '70cfc299d441'),
    56789: ('8698c8512617', '751386fcbb9c', 'd6f22542aebf'),
}
#: The same for VOC's augmented training list, sorted and permuted by
#: CutMix-Seg's ``split_0.pkl``, by the number of labelled images: 1/100,
#: 1/50, 1/20 and 1/8 of 10,582. Only 13, 28, 86 and 207 of these are among
#: the 1464 images of VOC's own training set, where the labels come from
#: according to the paper.
VOC_MD5 = {
    106: '3d0443872bbc',
    212: '20fd879d0075',
    529: 'ed964041f0a2',
    1323: '3970d4ce5dc5',
}


def city_folder(name: str) -> str:
    """Put a Cityscapes name below its city's folder, as in mmseg's lists.

    ``aachen_000000_000019`` becomes ``aachen/aachen_000000_000019``; a name
    that already has a folder is returned unchanged.
    """
    return name if '/' in name else f'{name.split("_")[0]}/{name}'


def labelled_md5(order: Iterable[str], count: int) -> str:
    """Checksum of the first names, to compare with the published ones.

    Args:
        order (Iterable[str]): Names, with or without their city's folder.
        count (int): How many of them are labelled.
    """
    return names_md5([PurePosixPath(name).name for name in order][:count])


def published_split(labelled: Sequence[str]) -> Optional[str]:
    """Description of the published split that a labelled list equals.

    Args:
        labelled (Sequence[str]): Labelled names, in their order.

    Returns:
        str | None: Such as ``"CutMix-Seg's Cityscapes, seed 12345, 372
        images"``, or None if the list is not a published one.
    """
    count = len(labelled)
    md5 = labelled_md5(labelled, count)
    for seed, digests in CITYSCAPES_MD5.items():
        if (count, md5) in zip(CITYSCAPES_SIZES, digests):
            return f"CutMix-Seg's Cityscapes, seed {seed}, {count} images"
    if VOC_MD5.get(count) == md5:
        return f"CutMix-Seg's VOC split 0, {count} images"
    return None
