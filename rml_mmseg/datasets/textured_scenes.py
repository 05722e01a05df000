import os.path as osp
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .scene_classes import SCENE_CLASSES


@DATASETS.register_module()
class TexturedScenesDataset(BaseSegDataset):
    """Synthetic scenes of textured objects, for demonstrations and tests.

    PNG images with exact masks of a background and six classes, one of them
    rare. ``tools/dataset_converters/make_textured_scenes.py`` writes the
    data once; the same seed gives the same data:

    .. code-block:: none

        data/textured_scenes
        ├── img_dir/{train,test}/scene_0000.png ...
        ├── ann_dir/{train,test}/scene_0000.png ...
        ├── splits/{labelled,unlabelled,train,test}.txt
        └── provenance.json

    Args:
        img_suffix (str): Suffix of the images. Defaults to '.png'.
        seg_map_suffix (str): Suffix of the masks. Defaults to '.png'.
        **kwargs: Further arguments of
            :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If the folder of images does not exist.
    """

    METAINFO = dict(
        classes=tuple(kind.name for kind in SCENE_CLASSES),
        palette=[list(kind.colour) for kind in SCENE_CLASSES],
    )

    def __init__(
        self,
        img_suffix: str = '.png',
        seg_map_suffix: str = '.png',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """Find the images and masks of the data set.

        Returns:
            list[dict]: One dict of paths per image.

        Raises:
            FileNotFoundError: If the folder of images does not exist.
        """
        folder = self.data_prefix.get('img_path', '')
        if not osp.isdir(folder):
            raise FileNotFoundError(
                f"data_prefix['img_path'] is {folder!r}, which is not a "
                'folder. Write the scenes first: python '
                'tools/dataset_converters/make_textured_scenes.py --out '
                f'{self.data_root or "data/textured_scenes"}'
            )
        return super().load_data_list()
