"""The data that a semi-supervised config is made for."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from rml_mmseg.datasets.data_root import LOADERS

from .pipelines import KEY, strong_steps, without_zero_label
from .stock import type_name


class SemiData(NamedTuple):
    """Data sets, as configs without what the learners decide.

    Attributes:
        labelled (dict): A stock data set, with its pipeline.
        unlabelled (dict): An ``UnlabelledSegDataset`` without pipeline.
        held_out (dict[str, dict], optional): Stock data sets with their
            pipelines, by ``'val'`` and ``'test'``; None for the stock
            config's own.
        num_classes (int, optional): None for the stock config's own.
        names (list[str], optional): Unlabelled images, where not the whole
            folder is meant.
        crop_size (tuple[int, int], optional): Height and width of crops,
            pixels; None for the stock config's own.
        image_pipeline (list[dict], optional): Of whole images; None for that
            of validation.
        tta_pipeline (list[dict], optional): For tests with augmentation;
            None for the stock config's own.
        strong (Sequence[dict]): How strong views are recoloured; none for
            those of ``unlabelled_pipeline``.
        hooks (Sequence[dict]): Custom hooks that are about the data.
    """

    labelled: dict[str, Any]
    unlabelled: dict[str, Any]
    held_out: Optional[dict[str, dict[str, Any]]] = None
    num_classes: Optional[int] = None
    names: Optional[list[str]] = None
    crop_size: Optional[tuple[int, int]] = None
    image_pipeline: Optional[list[dict[str, Any]]] = None
    tta_pipeline: Optional[list[dict[str, Any]]] = None
    strong: Sequence[dict[str, Any]] = ()
    hooks: Sequence[dict[str, Any]] = ()


def plain_datasets(cfg: Config, loader: str) -> list[dict[str, Any]]:
    """The data sets of a loader, out of repetition and concatenation.

    Args:
        cfg (Config): A stock config.
        loader (str): Such as ``'train_dataloader'``.

    Raises:
        ValueError: If images are mixed.
    """
    parts = _plain(copy.deepcopy(cfg[loader].dataset), loader)
    return [dict(part) for part in parts]


def _plain(dataset: Any, loader: str) -> list[Any]:
    """The configs themselves, so that they can be changed in place."""
    kind = type_name(dataset)
    if kind == 'RepeatDataset':
        return _plain(dataset['dataset'], loader)
    if kind == 'ConcatDataset':
        parts = [_plain(part, loader) for part in dataset['datasets']]
        return [item for part in parts for item in part]
    if kind == 'MultiImageMixDataset':
        raise ValueError(
            f'{loader}.dataset is a MultiImageMixDataset: give a stock config '
            'whose data sets load one image at a time'
        )
    return [dataset]


def pipeline_of(cfg: Config, loader: str) -> list[dict[str, Any]]:
    """The pipeline of a loader's data set, of several the first one's."""
    return list(plain_datasets(cfg, loader)[0]['pipeline'])


def data_of_lists(
    cfg: Config,
    labelled_list: Path,
    folder: Path,
    data_root: Optional[Path] = None,
) -> SemiData:
    """The stock data set by a list, and a folder of images.

    Args:
        cfg (Config): A stock config; ``data_root`` is changed in it.
        labelled_list (Path): Names of the labelled images, as the stock
            data set lists them: relative to its folder of images and
            without suffix.
        folder (Path): Unlabelled images; sub-folders count. Labelled and
            validation images among them are left out.
        data_root (Path, optional): The stock data set's folder.

    Raises:
        FileNotFoundError: If the list, an image or a mask is missing.
        ValueError: If no unlabelled image is left, or the stock config has
            several sets of labelled images.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    if not labelled_list.is_file():
        raise FileNotFoundError(f'--labelled: no list file {labelled_list}')
    if data_root is not None:
        for loader in LOADERS:
            if cfg.get(loader):
                for part in _plain(cfg[loader].dataset, loader):
                    part['data_root'] = str(data_root.resolve())
    labelled, *others = plain_datasets(cfg, 'train_dataloader')
    if others:
        raise ValueError(
            'train_dataloader.dataset is a ConcatDataset, and --labelled '
            'lists the images of one: take a stock config with one data set '
            '(the list may name images of all folders below data_root), or '
            'give the data by --dataset'
        )
    labelled['ann_file'] = str(labelled_list.resolve())
    taken = set()
    for info in _listed(labelled):
        for key in ('img_path', 'seg_map_path'):
            if not os.path.isfile(info.get(key) or ''):
                raise FileNotFoundError(
                    f'{labelled_list}: a labelled image has no file '
                    f'{info.get(key)!r}; lines must be names below data_root='
                    f'{labelled.get("data_root")!r}, img_path='
                    f'{labelled.get("data_prefix", {}).get("img_path")!r}, '
                    'without suffix (make_splits.py converts lists; '
                    '--data-root names the folder)'
                )
        taken.add(os.path.realpath(info['img_path']))
    if not taken:
        raise ValueError(f'--labelled: {labelled_list} names no image')
    taken |= _val_images(cfg)
    unlabelled = dict(
        type='UnlabelledSegDataset',
        data_prefix=dict(img_path=str(folder.resolve())),
    )
    found = [info['img_path'] for info in _listed(unlabelled)]
    names = [
        Path(path).relative_to(folder.resolve()).as_posix()
        for path in found
        if os.path.realpath(path) not in taken
    ]
    if not names:
        raise ValueError(
            f'--unlabelled: all {len(found)} images in {folder} are labelled '
            'or for validation'
        )
    return SemiData(
        labelled, unlabelled, names=names if len(names) < len(found) else None
    )


def _listed(dataset: dict[str, Any]) -> list[dict]:
    """What a data set finds, without its pipeline."""
    settings = {key: v for key, v in dataset.items() if key != 'pipeline'}
    built = DATASETS.build(dict(copy.deepcopy(settings), lazy_init=True))
    return list(built.load_data_list())


def _val_images(cfg: Config) -> set[str]:
    """Images for validation, as far as they are there."""
    try:
        infos = [
            info
            for dataset in plain_datasets(cfg, 'val_dataloader')
            for info in _listed(dataset)
        ]
    except (AttributeError, KeyError, OSError, AssertionError):
        return set()
    return {os.path.realpath(info['img_path']) for info in infos}


def data_of_config(
    cfg: Config,
    dataset_config: Path,
    own_geometry: bool = True,
    lists: Optional[tuple[Path, Path]] = None,
) -> SemiData:
    """Own data.

    Args:
        cfg (Config): A stock config.
        dataset_config (Path): ``dataset_config.py`` of the converter for
            folders of images.
        own_geometry (bool): Whether its pipelines are used, with its sizes,
            and not those of the stock config. Defaults to True.
        lists (tuple[Path, Path], optional): Labelled and unlabelled images
            in the place of its own lists, as ``make_splits.py`` writes them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no data sets, or no unlabelled image.
    """
    own = Config.fromfile(dataset_config)
    needed = ('labelled_dataset', 'unlabelled_dataset', 'num_classes')
    for key in needed:
        if key not in own:
            raise ValueError(
                f'--dataset: {dataset_config} has no {key}; give the '
                'dataset_config.py that image_folder.py writes'
            )
    labelled, unlabelled = (
        {k: v for k, v in own[key].items() if k != KEY}
        for key in ('labelled_dataset', 'unlabelled_dataset')
    )
    strong = strong_steps(unlabelled.pop('pipeline', None) or ())
    hooks = list(own.get('custom_hooks') or ())
    for dataset, file in zip((labelled, unlabelled), lists or ()):
        if not file.is_file():
            raise FileNotFoundError(f'--dataset: no list file {file}')
        dataset['ann_file'] = str(file.resolve())
    try:
        _listed(unlabelled)
    except ValueError as error:
        raise ValueError(
            f'--dataset: {error}. Where all images are annotated, let '
            'make_splits.py divide them, and give its lists by --labelled '
            'and --unlabelled'
        ) from error
    held_out = {
        split: dict(own[f'{split}_dataloader'].dataset)
        for split in ('val', 'test')
        if f'{split}_dataloader' in own
    }
    if own_geometry:
        return SemiData(
            labelled,
            unlabelled,
            held_out,
            own.num_classes,
            crop_size=tuple(own.crop_size),
            image_pipeline=own.image_pipeline,
            tta_pipeline=own.get('tta_pipeline'),
            strong=strong,
            hooks=hooks,
        )
    train = without_zero_label(pipeline_of(cfg, 'train_dataloader'))
    labelled['pipeline'] = train
    for dataset in held_out.values():
        test = without_zero_label(pipeline_of(cfg, 'val_dataloader'))
        dataset['pipeline'] = test
    return SemiData(
        labelled,
        unlabelled,
        held_out,
        own.num_classes,
        strong=strong,
        hooks=hooks,
    )
