"""The data set of a stock config, divided by lists of its images."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from rml_mmseg.datasets.data_root import LOADERS

from .data import SemiData, inner_datasets, listed, plain_datasets
from .mask_folders import names_rule, one_dataset

ALLOW_OVERLAP = 'train_dataloader.dataset.allow_overlap'


def data_of_lists(
    cfg: Config,
    runs: Sequence[tuple[Path, Path]],
    data_root: Optional[Path] = None,
    allow_overlap: bool = False,
) -> SemiData:
    """Take labelled and unlabelled images of a stock data set from lists.

    Names are as in the stock data set's own lists: relative to its image
    folder and without suffix, except that unlabelled ones may have a suffix.

    Args:
        cfg (Config): A stock config; its ``data_root`` is changed in place.
        runs (Sequence[tuple[Path, Path]]): List of the labelled and list of
            the unlabelled images of each run. All are checked, and those of
            the first run are used. With a single run the unlabelled images
            may be a folder, searched with its sub-folders; labelled and
            validation images in it are left out.
        data_root (Path, optional): The stock data set's folder. Defaults to
            None: that of the config.
        allow_overlap (bool): Whether images may be in both lists. Defaults
            to False.

    Raises:
        FileNotFoundError: If a list, an image or a mask is missing.
        ValueError: If no image is left, labelled or validation images are
            listed as unlabelled, or the stock config has several sets of
            labelled images that differ in more than their masks.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    for labelled_list, images in runs:
        if not labelled_list.is_file():
            raise FileNotFoundError(
                f'--labelled: no list file {labelled_list}'
            )
        if not images.exists():
            raise FileNotFoundError(
                f'--unlabelled: no such folder or list file: {images}'
            )
    if data_root is not None:
        for loader in LOADERS:
            if cfg.get(loader):
                for part in inner_datasets(cfg[loader].dataset, loader):
                    part['data_root'] = str(data_root.resolve())
    lists = list(dict.fromkeys(path for path, _ in runs))
    parts = plain_datasets(cfg, 'train_dataloader')
    labelled = one_dataset(parts, lists)
    known = {path: files_of_list(labelled, path) for path in lists}
    for path, taken in known.items():
        if not taken:
            raise ValueError(f'--labelled: {path} lists no image')
    held_out = scored_images(cfg, ['val_dataloader'])
    (labelled_list, images), *_ = runs
    if images.is_dir():
        return _of_folder(labelled, images, known[labelled_list] | held_out)
    unlabelled = _unlabelled(labelled)
    labelled_files = {} if allow_overlap else known
    take_unlabelled(unlabelled, runs, labelled_files, held_out)
    return SemiData(labelled, unlabelled)


def _of_folder(
    labelled: dict[str, Any], folder: Path, taken: set[str]
) -> SemiData:
    """Take the images of a folder that are neither labelled nor scored."""
    unlabelled = dict(
        type='UnlabelledSegDataset',
        data_prefix=dict(img_path=str(folder.resolve())),
    )
    found = [info['img_path'] for info in listed(unlabelled)]
    names = [
        Path(path).relative_to(folder.resolve()).as_posix()
        for path in found
        if os.path.realpath(path) not in taken
    ]
    if not names:
        raise ValueError(
            f'--unlabelled: all {len(found)} images in {folder} are labelled '
            'or used for validation'
        )
    return SemiData(
        labelled, unlabelled, names=names if len(names) < len(found) else None
    )


def _unlabelled(labelled: dict[str, Any]) -> dict[str, Any]:
    """Config of an unlabelled data set with the same folder of images."""
    settings = {k: v for k, v in labelled.items() if k != 'pipeline'}
    built = DATASETS.build(dict(settings, lazy_init=True))
    prefix = labelled.get('data_prefix') or {}
    return dict(
        type='UnlabelledSegDataset',
        data_root=labelled.get('data_root'),
        data_prefix=dict(img_path=prefix.get('img_path', '')),
        img_suffix=built.img_suffix,
    )


def take_unlabelled(
    unlabelled: dict[str, Any],
    runs: Sequence[tuple[Path, Path]],
    labelled: Mapping[Path, set[str]],
    held_out: set[str],
) -> None:
    """Check the lists of all runs and set the first run's, in place.

    Args:
        unlabelled (dict): Config of the unlabelled data set.
        runs (Sequence[tuple[Path, Path]]): Lists of the labelled and of the
            unlabelled images of each run.
        labelled (Mapping): Real paths of the labelled images of each list,
            which may not be unlabelled as well.
        held_out (set[str]): Real paths of the images that are scored.

    Raises:
        FileNotFoundError: If a list or an image is missing.
        ValueError: If a list names no image, or one that is labelled or
            scored.
    """
    for labelled_list, images in runs:
        taken = labelled.get(labelled_list, set())
        _check_unlabelled(unlabelled, images, taken, held_out)
    unlabelled['ann_file'] = str(runs[0][1].resolve())


def _check_unlabelled(
    unlabelled: dict[str, Any],
    path: Path,
    labelled: set[str],
    held_out: set[str],
) -> None:
    """Refuse a list of images that are missing, labelled or scored."""
    rule = names_rule(unlabelled, 'with or without suffix')
    dataset = dict(unlabelled, ann_file=str(path.resolve()))
    try:
        files = [info['img_path'] for info in listed(dataset)]
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f'--unlabelled: {error}; {rule}') from error
    missing = [file for file in files if not os.path.isfile(file)]
    if missing:
        raise FileNotFoundError(
            f'--unlabelled: {len(missing)} of {len(files)} images of {path} '
            f'are missing, such as {missing[0]!r}; {rule}'
        )
    real = {os.path.realpath(file): file for file in files}
    for kind, taken, right in (
        (
            'labelled',
            labelled,
            f', or set --cfg-options {ALLOW_OVERLAP}=True if intended',
        ),
        ('for validation or a test', held_out, ''),
    ):
        both = [file for name, file in real.items() if name in taken]
        if both:
            raise ValueError(
                f'--unlabelled: {len(both)} of {len(files)} images of {path} '
                f'are {kind}, such as {both[0]!r}. Give a list without them'
                f'{right}'
            )


def files_of_list(
    dataset: dict[str, Any], path: Optional[Path] = None
) -> set[str]:
    """Real paths of a data set's images.

    Args:
        dataset (dict): Its config.
        path (Path, optional): List of names to use instead of its own.
    """
    if path is not None:
        dataset = dict(dataset, ann_file=str(path.resolve()))
    return {os.path.realpath(info['img_path']) for info in listed(dataset)}


def scored_images(cfg: Config, loaders: Sequence[str]) -> set[str]:
    """Real paths of the images that are scored, as far as they can be found.

    Args:
        cfg (Config): Config with the data loaders.
        loaders (Sequence[str]): Names of the loaders, such as
            ``'val_dataloader'``.
    """
    files: set[str] = set()
    for loader in loaders:
        try:
            for dataset in plain_datasets(cfg, loader):
                files |= files_of_list(dataset)
        except (AttributeError, KeyError, OSError):
            continue
    return files
