"""Images without labels."""

import os.path as osp
from collections.abc import Sequence
from glob import glob as find
from typing import Any, Optional, Union

from mmengine.fileio import join_path, list_from_file
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .folder_files import IMAGE_SUFFIXES, folder_files

# Number of listed images that are looked up at the start; others that are
# missing count as unreadable in training.
PROBED = 20


@DATASETS.register_module()
class UnlabelledSegDataset(BaseSegDataset):
    """A folder, a list file or a glob of images; no masks are needed.

    Args:
        data_root (str, optional): Folder that the other paths start from.
        data_prefix (dict): ``img_path``: folder of the images, searched
            with its sub-folders. ``seg_map_path``, optional: masks for
            monitoring; no loss ever reads them.
        ann_file (str): List file with one name per line, with or without
            suffix, relative to ``img_path``. Defaults to '': all images.
        glob (str, optional): Pattern relative to ``img_path``, such as
            ``'**/*_leftImg8bit.png'``.
        img_suffix (str | Sequence[str]): Suffixes of the images in a folder,
            and those tried for listed names without one. Defaults to the
            usual image suffixes.
        kwargs: Arguments of ``BaseSegDataset``.

    Raises:
        FileNotFoundError: If the folder, the list file or each of the first
            ``PROBED`` images is missing.
        ValueError: If there is no image, ``data_prefix`` names no folder of
            images, a list names a file outside the folder, or both ``glob``
            and ``ann_file`` are given.
    """

    def __init__(
        self,
        data_root: Optional[str] = None,
        data_prefix: Optional[dict] = None,
        ann_file: str = '',
        glob: Optional[str] = None,
        img_suffix: Union[str, Sequence[str]] = IMAGE_SUFFIXES,
        **kwargs: Any,
    ) -> None:
        if glob is not None and ann_file:
            raise ValueError(
                'unlabelled.glob and unlabelled.ann_file exclude each '
                f'other, got {glob!r} and {ann_file!r}'
            )
        data_prefix = data_prefix or dict(img_path='')
        if 'img_path' not in data_prefix:
            raise ValueError(
                'unlabelled.data_prefix must have img_path, the folder of the '
                f'images, got {data_prefix!r}'
            )
        self.glob = glob
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix,
            ann_file=ann_file,
            img_suffix=img_suffix,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Find the images.

        Returns:
            list[dict]: One entry per image, sorted or in the list's order.
        """
        folder = self.data_prefix['img_path'] or self.data_root or '.'
        remote = '://' in folder and self.ann_file
        if not remote and not osp.isdir(folder):
            raise FileNotFoundError(
                f'unlabelled.data_prefix.img_path: no folder {folder!r}'
            )
        names = self._names(folder)
        if not names:
            raise ValueError(
                f'no unlabelled image found in {folder!r} with ann_file='
                f'{self.ann_file!r}, glob={self.glob!r}, img_suffix='
                f'{self.img_suffix!r}'
            )
        first = [join_path(folder, name) for name in names[:PROBED]]
        if not any('://' in path or osp.isfile(path) for path in first):
            raise FileNotFoundError(
                f'unlabelled image {first[0]!r} is missing, as are all of '
                f'the first {len(first)}: check unlabelled.ann_file='
                f'{self.ann_file!r}, img_suffix={self.img_suffix!r} and '
                'data_prefix'
            )
        masks = self.data_prefix.get('seg_map_path')
        entries = []
        for name in names:
            entry = dict(
                img_path=join_path(folder, name),
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            if masks:
                mask = join_path(masks, self._stem(name) + self.seg_map_suffix)
                if '://' in mask or osp.isfile(mask):
                    entry['seg_map_path'] = mask
            entries.append(entry)
        return entries

    def _suffixes(self) -> tuple[str, ...]:
        if isinstance(self.img_suffix, str):
            return (self.img_suffix,)
        return tuple(self.img_suffix)

    def _stem(self, name: str) -> str:
        for suffix in self._suffixes():
            if name.lower().endswith(suffix.lower()):
                return name[: -len(suffix)]
        return osp.splitext(name)[0]

    def _names(self, folder: str) -> list[str]:
        """File names relative to the folder."""
        if self.ann_file:
            return self._listed(folder)
        if self.glob is not None:
            found = find(osp.join(folder, self.glob), recursive=True)
            return sorted(
                osp.relpath(path, folder) for path in found if osp.isfile(path)
            )
        suffixes = tuple(suffix.lower() for suffix in self._suffixes())
        return sorted(
            name
            for name in folder_files(folder)
            if name.lower().endswith(suffixes)
        )

    def _listed(self, folder: str) -> list[str]:
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'unlabelled.ann_file: no list file {self.ann_file!r}'
            )
        names = []
        for line in list_from_file(self.ann_file):
            name = line.strip()
            if not name:
                continue
            if osp.isabs(name) or '..' in name.split('/'):
                raise ValueError(
                    f'unlabelled.ann_file {self.ann_file!r}: {name!r} '
                    f'leaves the folder {folder!r}. Use names inside it'
                )
            names.append(self._with_suffix(folder, name))
        return names

    def _with_suffix(self, folder: str, name: str) -> str:
        suffixes = self._suffixes()
        if name.lower().endswith(tuple(s.lower() for s in suffixes)):
            return name
        for suffix in (*suffixes, *(s.upper() for s in suffixes)):
            if osp.isfile(osp.join(folder, name + suffix)):
                return name + suffix
        return name + suffixes[0]
