"""Data set that pairs labelled with unlabelled images."""

import os.path as osp
from collections.abc import Sequence
from typing import Any, Optional, Union

from mmcv.transforms import Compose, LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS

from rml_mmseg.models.data_preprocessors.batch_check import check_packed
from rml_mmseg.setting_checks import check_count, check_flag

from .load_item import check_files, load_item
from .members import build_lazily, image_files, member_at, members
from .one_buffer_dict import OneBufferDict
from .pipeline_check import check_maskless
from .samplers import Draw
from .seeding import seeded
from .transforms.check_image import CheckImage
from .transforms.check_labels import CheckLabels
from .unreadable_images import UnreadableImages

WHOLE_IMAGE = (
    dict(type='LoadImageFromFile'),
    dict(type='PackSegInputs', meta_keys=('img_path', 'ori_shape')),
)


@DATASETS.register_module()
class SemiSegDataset:
    """Pairs of one labelled and ``k`` unlabelled images.

    The length is the number of unlabelled images. ``SemiSegSampler`` chooses
    the images of an item and seeds their augmentation. An integer index
    gives the unlabelled images from that index on and the labelled image of
    that index, each modulo the size of its set, without seeding.

    Args:
        labelled (dict): Config of a stock mmseg dataset with masks, or of
            a ``ConcatDataset`` of several.
        unlabelled (dict): Config of an ``UnlabelledSegDataset``, or of a
            ``ConcatDataset`` of several.
        k (int): Unlabelled images per labelled one. Defaults to 1.
        image_pipeline (list[dict], optional): Pipeline that loads a whole
            image at the training scale, as the teachers see it at the start
            of a stage. Defaults to loading and ``PackSegInputs``.
        allow_overlap (bool): Whether images may be in both sets, as in
            protocols that use the labelled images as unlabelled ones, too.
            Defaults to False.
        max_unreadable (float): Largest share of unlabelled images that may
            be unreadable, in [0, 1]. Each is named in the log and replaced
            by the next; beyond the share the run stops. A labelled image
            that cannot be read always stops it. Defaults to 0.01.
        lazy_init (bool): Whether to find the images later. Defaults to
            False.

    Raises:
        ValueError: If a set is empty, the sets overlap or a setting is
            invalid.
        FileNotFoundError: If a labelled image or its mask is missing.
        TypeError: If a set is neither a plain nor a concatenated data set.
    """

    def __init__(
        self,
        labelled: dict,
        unlabelled: dict,
        k: int = 1,
        image_pipeline: Sequence[dict] = WHOLE_IMAGE,
        allow_overlap: bool = False,
        max_unreadable: float = 0.01,
        lazy_init: bool = False,
    ) -> None:
        check_count('dataset.k', k, 1)
        check_flag('dataset.allow_overlap', allow_overlap)
        self.k = k
        self.allow_overlap = allow_overlap
        self.max_unreadable = max_unreadable
        # Check the share now; the images are counted once they are known.
        self.unreadable = UnreadableImages(0, max_unreadable)
        self.image_pipeline = Compose(
            [TRANSFORMS.build(dict(step)) for step in image_pipeline]
        )
        self.labelled = build_lazily(labelled)
        self.unlabelled = build_lazily(unlabelled)
        for name in ('labelled', 'unlabelled'):
            try:
                members(getattr(self, name))
            except TypeError as error:
                raise TypeError(f'dataset.{name} {error}') from error
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """dict: Classes and palette of the labelled set."""
        return self.labelled.metainfo

    def full_init(self) -> None:
        """Find the images of both sets and check them."""
        if self._fully_initialized:
            return
        for part in members(self.labelled):
            try:
                part.full_init()
                empty = not len(part)
            except ValueError:
                # Stock data sets cannot serialise an empty list.
                if part.data_list:
                    raise
                empty = True
            if empty:
                raise ValueError(
                    'the labelled set is empty: check labelled.ann_file='
                    f'{part.ann_file!r} and labelled.data_prefix='
                    f'{part.data_prefix}'
                )
        self.labelled.full_init()
        self._share_label_rules()
        self.unlabelled.full_init()
        self._check_sets()
        self._check_pipelines()
        self.unreadable = UnreadableImages(
            len(self.unlabelled), self.max_unreadable
        )
        self._fully_initialized = True

    def _share_label_rules(self) -> None:
        """Read monitoring masks by the label rules of the labelled set."""
        labelled = members(self.labelled)[0]
        for part in members(self.unlabelled):
            for key in ('label_map', 'reduce_zero_label'):
                own = getattr(part, key, None)
                setattr(part, key, own or getattr(labelled, key, own))

    def _check_sets(self) -> None:
        paths = set()
        for part in members(self.labelled):
            for info in map(part.get_data_info, range(len(part))):
                check_files(part, info)
                paths.add(osp.realpath(info['img_path']))
        both = [
            path
            for path in image_files(self.unlabelled)
            if osp.realpath(path) in paths
        ]
        if both and not self.allow_overlap:
            raise ValueError(
                f'{len(both)} images are labelled and unlabelled, such as '
                f'{both[0]!r}: remove them from unlabelled.ann_file, or '
                'set dataset.allow_overlap=True if this is intended'
            )

    def _check_pipelines(self) -> None:
        labelled, unlabelled = (
            [part.pipeline.transforms for part in members(dataset)]
            for dataset in (self.labelled, self.unlabelled)
        )
        for steps in (*labelled, *unlabelled, self.image_pipeline.transforms):
            for i, transform in enumerate(steps):
                # Its subclasses may read files that are not images.
                if type(transform) is LoadImageFromFile:
                    steps.insert(i, CheckImage())
                    break
        classes = self.metainfo.get('classes')
        for steps in labelled:
            for i, transform in enumerate(steps):
                if isinstance(transform, LoadAnnotations) and classes:
                    steps.insert(i + 1, CheckLabels(len(classes)))
                    break
        for steps in unlabelled:
            check_maskless('unlabelled.pipeline', steps)
        check_maskless(
            'dataset.image_pipeline', self.image_pipeline.transforms
        )

    def __len__(self) -> int:
        """Number of unlabelled images."""
        return len(self.unlabelled)

    def __getitem__(self, index: Union[int, Draw]) -> dict[str, Any]:
        """Load an item.

        Args:
            index (Draw | int): A sampler's draw, or an index.

        Returns:
            dict: ``labelled``, a packed item, and ``unlabelled``, a list
            of k packed items.
        """
        if isinstance(index, Draw):
            with seeded(index.seed):
                return self._load(
                    index.labelled, index.unlabelled, index.soft_labels
                )
        unlabelled = tuple(
            (index + j) % len(self.unlabelled) for j in range(self.k)
        )
        return self._load(index % len(self.labelled), unlabelled)

    def load_image(self, path: str) -> dict[str, Any]:
        """Load a whole image by ``image_pipeline``, packed as for a test."""
        item = self.image_pipeline(dict(img_path=path, seg_fields=[]))
        check_packed(item, 'dataset.image_pipeline')
        return item

    def _load(
        self,
        labelled: int,
        unlabelled: tuple[int, ...],
        soft_labels: Optional[str] = None,
    ) -> dict:
        return OneBufferDict(
            labelled=load_item(self.labelled, labelled),
            unlabelled=[
                self._load_unlabelled(i, soft_labels) for i in unlabelled
            ],
        )

    def _load_unlabelled(self, index: int, soft_labels: Optional[str]) -> dict:
        """Load an unlabelled item, or the next one that can be read."""
        count = len(self.unlabelled)
        for i in (*range(index, count), *range(index)):
            path = self.unlabelled.get_data_info(i)['img_path']
            if path in self.unreadable:
                continue
            try:
                return load_item(self.unlabelled, i, soft_labels)
            except RuntimeError as error:
                self.note_unreadable(path, error, self._pipeline_at(i))
        raise RuntimeError('no unlabelled image can be read')

    def _pipeline_at(self, index: int) -> Compose:
        """Pipeline of an unlabelled image, by the data set that it is from."""
        return member_at(self.unlabelled, index)[0].pipeline

    def note_unreadable(
        self, path: str, error: Exception, pipeline: Compose
    ) -> None:
        """Count an unlabelled image whose item failed because of its file.

        Args:
            path (str): Path of the image.
            error (Exception): Error of loading the item; raised again if
                the image itself can be read.
            pipeline (Compose): Pipeline that loaded the item.

        Raises:
            RuntimeError: If too many images are unreadable.
        """
        results = dict(img_path=path, seg_fields=[])
        for transform in pipeline.transforms:
            try:
                results = transform(results)
            except Exception as reason:
                self.unreadable.note(path, reason)
                return
            if 'img' in results:
                break
        raise error
