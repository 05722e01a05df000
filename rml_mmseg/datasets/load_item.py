"""Loading items of a stock data set, and checking that their files exist."""

import os.path as osp
from typing import Optional

from mmengine.dataset import BaseDataset

from .members import member_at
from .soft_labels import SoftLabelStore


def is_file(path: str) -> bool:
    """Whether a local file exists; True for remote ones, not looked up."""
    return '://' in path or osp.isfile(path)


def is_inside(path: str, folder: str) -> bool:
    """Whether a path stays inside a folder, without resolving links."""
    if '://' in path:
        return '/../' not in path
    base, path = osp.abspath(folder), osp.abspath(path)
    return osp.commonpath([base, path]) == base


def check_files(
    dataset: BaseDataset,
    info: dict,
    setting: str = 'labelled',
    masks: bool = True,
    hint: str = '',
) -> None:
    """Check that an image and its mask exist.

    Args:
        dataset (BaseDataset): A stock data set.
        info (dict): One of its entries.
        setting (str): The data set's name in a config. Defaults to
            ``'labelled'``.
        masks (bool): Whether a mask is required. Defaults to True.
        hint (str): Text added to the error if a mask is missing. Defaults
            to ''.

    Raises:
        FileNotFoundError: If the image or the mask is missing.
        ValueError: If a list file names a file outside the data set's
            folder.
    """
    kinds = dict(image='img_path', mask='seg_map_path')
    for kind, key in kinds.items():
        path, folder = info.get(key), dataset.data_prefix.get(key)
        outside = path and folder and not is_inside(path, folder)
        if dataset.ann_file and outside:
            raise ValueError(
                f'{setting}.ann_file {dataset.ann_file!r}: {path!r} leaves '
                f'the folder {folder!r}. Use names inside it'
            )
        if kind == 'mask' and not masks:
            continue
        if path is None or not is_file(path):
            raise FileNotFoundError(
                f'{setting} image {info["img_path"]!r}: no {kind} {path!r}. '
                f'Check {setting}.data_prefix, img_suffix and '
                f'seg_map_suffix{hint if kind == "mask" else ""}'
            )


def load_item(
    dataset: BaseDataset, index: int, soft_labels: Optional[str] = None
) -> dict:
    """Load one item of a stock data set; errors name its file.

    Args:
        dataset (BaseDataset | ConcatDataset): The data set.
        index (int): Index of the item.
        soft_labels (str, optional): Folder of the soft pseudo labels to add
            to the item. Defaults to None.

    Raises:
        RuntimeError: If the pipeline fails or returns None, or the soft
            pseudo labels cannot be read.
    """
    member, number = member_at(dataset, index)
    info = member.get_data_info(number)
    info['keep_places'] = soft_labels is not None
    try:
        item = member.pipeline(info)
    except Exception as error:
        raise RuntimeError(
            f'cannot load {info.get("img_path")!r}: {error}'
        ) from error
    if item is None:
        raise RuntimeError(
            f'the pipeline returned None for {info.get("img_path")!r}'
        )
    if soft_labels is not None:
        store = SoftLabelStore(soft_labels)
        item['inputs']['soft_labels'] = store.read(info['img_path'])
    return item
