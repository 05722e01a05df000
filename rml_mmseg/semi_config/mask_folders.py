"""One data set in place of several that differ in their mask folders."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .data import listed

MASKS = 'seg_map_path'


def one_dataset(
    parts: Sequence[Mapping[str, Any]], lists: Sequence[Path]
) -> dict[str, Any]:
    """Find the data set that has a mask for each labelled image.

    mmseg's configs for VOC concatenate VOC's own images, with the masks of
    ``SegmentationClass``, and those of SBD, with the masks of
    ``SegmentationClassAug``. The given lists replace those of all parts, and
    the part with the first folder that has all masks is returned.

    Args:
        parts (Sequence[dict]): Configs of data sets, one or more.
        lists (Sequence[Path]): Names of the labelled images, one file or
            several.

    Returns:
        dict: One of the parts, with the first list.

    Raises:
        FileNotFoundError: If an image or a mask is missing, or no folder has
            all of the masks.
        ValueError: If parts differ in more than their lists and masks.
    """
    _check_alike(parts)
    folders: dict[Any, Mapping[str, Any]] = {}
    for part in parts:
        folders.setdefault(_prefix(part).get(MASKS), part)
    missing = {}
    for folder, part in folders.items():
        missing[folder] = _missing(part, lists)
        if not missing[folder]:
            return dict(part, ann_file=str(lists[0].resolve()))
    first, *others = missing.values()
    for image, file in first.items():
        if all(image in other for other in others):
            raise FileNotFoundError(
                f'--labelled: {image[0]}: a labelled image has no file '
                f'{file!r}; {names_rule(parts[0], "without suffix")}'
            )
    lacking = ', '.join(
        f'{folder!r} lacks {len(files)}' for folder, files in missing.items()
    )
    named = f'{lists[0]} and other lists' if lists[1:] else str(lists[0])
    raise FileNotFoundError(
        f'--labelled: the masks of {named} are in several folders of '
        f'data_root={parts[0].get("data_root")!r}, and none has all '
        f'({lacking}). Copy or link them into one of these; for PASCAL VOC '
        'tools/dataset_converters/voc_aug.py writes all into '
        'SegmentationClassAug'
    )


def names_rule(dataset: Mapping[str, Any], suffix: str) -> str:
    """Rule for names in a list of a data set, for error messages.

    Args:
        dataset (dict): Its config.
        suffix (str): What to say about suffixes.
    """
    return (
        f'lines must be names below data_root={dataset.get("data_root")!r}, '
        f'img_path={_prefix(dataset).get("img_path")!r}, {suffix} '
        '(make_splits.py converts lists; --data-root names the folder)'
    )


def _prefix(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    return dataset.get('data_prefix') or {}


def _missing(
    part: Mapping[str, Any], lists: Sequence[Path]
) -> dict[tuple[Path, int], str]:
    """Missing files of a data set, by list and number of the image."""
    found: dict[tuple[Path, int], str] = {}
    for path in lists:
        infos = listed(dict(part, ann_file=str(path.resolve())))
        for number, info in enumerate(infos):
            for key in ('img_path', 'seg_map_path'):
                if not os.path.isfile(info.get(key) or ''):
                    found.setdefault((path, number), str(info.get(key)))
    return found


def _check_alike(parts: Sequence[Mapping[str, Any]]) -> None:
    """Refuse parts that differ in more than their list and their masks."""
    settings = []
    for part in parts:
        own = {f'data_prefix.{k}': v for k, v in _prefix(part).items()}
        own.update((k, v) for k, v in part.items() if k != 'data_prefix')
        for key in ('ann_file', f'data_prefix.{MASKS}'):
            own.pop(key, None)
        settings.append(own)
    differing = []
    for key in dict.fromkeys(key for own in settings for key in own):
        values = [own.get(key) for own in settings]
        if any(value != values[0] for value in values):
            # Pipelines would fill the screen.
            short = all(isinstance(v, (str, type(None))) for v in values)
            shown = ', '.join(map(repr, values))
            differing.append(f'{key} ({shown})' if short else key)
    if differing:
        raise ValueError(
            'train_dataloader.dataset is a ConcatDataset, and --labelled '
            'lists the images of one data set, but its parts differ in '
            f'{"; ".join(differing)}. Use a stock config with one data set, '
            'or with parts that differ only in ann_file and '
            f'data_prefix.{MASKS} (a list may name images of all '
            'folders below data_root), or give the data by --dataset'
        )
