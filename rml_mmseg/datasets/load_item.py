"""Loading an item of a stock data set, and where its files are."""

import os.path as osp
from typing import Optional

from mmengine.dataset import BaseDataset

from .soft_labels import SoftLabelStore


def is_file(path: str) -> bool:
    """Whether a file is there; a remote store is asked only on reading."""
    return '://' in path or osp.isfile(path)


def is_inside(path: str, folder: str) -> bool:
    """Whether a path, as it is written, stays in a folder."""
    if '://' in path:
        return '/../' not in path
    base, path = osp.abspath(folder), osp.abspath(path)
    return osp.commonpath([base, path]) == base


def load_item(
    dataset: BaseDataset, index: int, soft_labels: Optional[str] = None
) -> dict:
    """One item of a stock dataset, or an error that names its file.

    Args:
        dataset (BaseDataset): The dataset.
        index (int): Which item.
        soft_labels (str, optional): Folder of soft pseudo labels to add.

    Raises:
        RuntimeError: If the pipeline fails or gives nothing.
    """
    info = dataset.get_data_info(index)
    info['keep_places'] = soft_labels is not None
    try:
        item = dataset.pipeline(info)
    except Exception as error:
        raise RuntimeError(
            f'cannot load {info.get("img_path")!r}: {error}'
        ) from error
    if item is None:
        raise RuntimeError(
            f'the pipeline gave nothing for {info.get("img_path")!r}'
        )
    if soft_labels is not None:
        store = SoftLabelStore(soft_labels)
        item['inputs']['soft_labels'] = store.read(info['img_path'])
    return item
