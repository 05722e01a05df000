"""The data that a semi-supervised config is made for."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from mmengine.config import Config
from mmseg.registry import DATASETS

from rml_mmseg.engine.checks.registered import type_name


class SemiData(NamedTuple):
    """Configs of the data sets, without what depends on the learners.

    Attributes:
        labelled (dict): A stock data set with its pipeline.
        unlabelled (dict): An ``UnlabelledSegDataset`` without pipeline.
        held_out (dict[str, dict], optional): Stock data sets with their
            pipelines, by ``'val'`` and ``'test'``; None for the stock
            config's own.
        num_classes (int, optional): Number of classes; None for the stock
            config's own.
        names (list[str], optional): Unlabelled images; None for the whole
            folder or its list.
        crop_size (tuple[int, int], optional): Height and width of crops in
            pixels; None for the stock config's own.
        image_pipeline (list[dict], optional): Pipeline of whole images; None
            for that of validation.
        tta_pipeline (list[dict], optional): Pipeline of test-time
            augmentation; None for the stock config's own.
        strong (Sequence[dict]): Transforms that recolour strong views; empty
            for those that ``unlabelled_pipeline`` has by default.
        hooks (Sequence[dict]): Custom hooks that go with the data.
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
    """The data sets of a loader, unwrapped from repetition and concatenation.

    Args:
        cfg (Config): A stock config.
        loader (str): Name of the loader, such as ``'train_dataloader'``.

    Raises:
        ValueError: If a ``MultiImageMixDataset`` mixes images.
    """
    parts = inner_datasets(copy.deepcopy(cfg[loader].dataset), loader)
    return [dict(part) for part in parts]


def inner_datasets(dataset: Any, loader: str) -> list[Any]:
    """Data sets inside repetition and concatenation, to change in place.

    Args:
        dataset (dict): Config of a data set.
        loader (str): Name of its loader, for the error.

    Raises:
        ValueError: If a ``MultiImageMixDataset`` mixes images.
    """
    kind = type_name(dataset)
    if kind == 'RepeatDataset':
        return inner_datasets(dataset['dataset'], loader)
    if kind == 'ConcatDataset':
        parts = [inner_datasets(part, loader) for part in dataset['datasets']]
        return [item for part in parts for item in part]
    if kind == 'MultiImageMixDataset':
        raise ValueError(
            f'{loader}.dataset is a MultiImageMixDataset. Use a stock config '
            'whose data sets load one image at a time'
        )
    return [dataset]


def pipeline_of(cfg: Config, loader: str) -> list[dict[str, Any]]:
    """Pipeline of a loader's data set, or of the first of several."""
    return list(plain_datasets(cfg, loader)[0]['pipeline'])


def listed(dataset: dict[str, Any]) -> list[dict]:
    """Entries that a data set finds, before its pipeline.

    Args:
        dataset (dict): Its config.

    Raises:
        FileNotFoundError: If a folder or a list is missing.
        ValueError: If a list is not a text file.
    """
    settings = {key: v for key, v in dataset.items() if key != 'pipeline'}
    try:
        built = DATASETS.build(dict(copy.deepcopy(settings), lazy_init=True))
    except AssertionError as error:
        # Data sets of mmseg assert that their files exist.
        raise FileNotFoundError(
            f'{type_name(dataset)}: data_root={dataset.get("data_root")!r} '
            f'has no data_prefix={dict(dataset.get("data_prefix") or {})} '
            f'or no ann_file={dataset.get("ann_file")!r}. Set the folder by '
            '--data-root'
        ) from error
    try:
        return list(built.load_data_list())
    except UnicodeDecodeError as error:
        raise ValueError(
            f'ann_file={dataset.get("ann_file")!r} is not a list with one '
            f'name per line: {error}'
        ) from error
