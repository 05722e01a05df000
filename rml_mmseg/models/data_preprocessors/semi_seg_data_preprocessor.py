"""Preprocessing of labelled and unlabelled images."""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import stack_batch
from torch import Tensor

from ..utils.preprocessing import swaps_channels
from .batch_check import check_batch, check_channels, check_sizes
from .one_copy import OneCopy


@MODELS.register_module()
class SemiSegDataPreProcessor(BaseDataPreprocessor):
    """Normalise, pad and stack all views of a semi-supervised batch alike.

    Wraps mmseg's ``SegDataPreProcessor``, so that every view has the same
    mean, standard deviation and padding. A batch that is not
    semi-supervised (validation, test, stock tools) goes through it as is.

    A batch of ``SemiSegDataset`` becomes ``inputs`` with

    - ``labelled``: images (N, 3, H, W);
    - ``weak``: weak views (M, 3, H, W), M = N * k;
    - ``strong``: strong views (S, M, 3, H, W);
    - ``valid``: (M, H, W) bool, False on padding;
    - ``mix_masks`` (M, H, W) bool, ``mix_boxes`` (M, 4) or ``mix_classes``
      (M, 256), where the pipeline draws them; with V masks per image, a
      dimension V follows M;
    - ``soft_labels`` and ``places``, where the run has them: for each
      teacher, its logits (K, h, w) of each of the M whole images at the
      start of the stage; for each image (2, H, W), the position of each
      pixel in the whole image;

    and ``data_samples`` with ``labelled`` and ``unlabelled``, lists of
    ``SegDataSample``. The ``gt_sem_seg`` of an unlabelled sample is for
    monitoring only; no loss reads it.

    Args:
        non_blocking (bool): Whether copies to a GPU are asynchronous; see
            mmengine's ``BaseDataPreprocessor``. Defaults to False.
        kwargs: Arguments of ``SegDataPreProcessor``.
    """

    def __init__(self, non_blocking: bool = False, **kwargs: Any) -> None:
        super().__init__(non_blocking)
        if kwargs.get('size') is None and kwargs.get('size_divisor') is None:
            kwargs['size_divisor'] = 1
        self.base = MODELS.build(dict(type='SegDataPreProcessor', **kwargs))

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Preprocess one collated batch.

        Args:
            data (dict): With ``labelled`` and ``unlabelled``, or a plain
                batch with ``inputs`` and ``data_samples``.
            training (bool): As in ``SegDataPreProcessor``.

        Returns:
            dict: ``inputs`` and ``data_samples``.

        Raises:
            ValueError: If a pipeline lacks a transform, or its images have
                the wrong channels or cannot be padded to one size.
        """
        if 'labelled' not in data:
            return self.base(data, training)
        check_batch(data)
        data = OneCopy(self.device, bool(self._non_blocking))(data)
        self._check(data['labelled']['inputs'], 'labelled.pipeline')
        batch = data['labelled']
        labelled = self._stack(batch['inputs'], batch['data_samples'])
        inputs = dict(labelled=labelled['inputs'])
        samples = [
            sample
            for part in data['unlabelled']
            for sample in part['data_samples']
        ]
        inputs.update(self._stack_views(data['unlabelled']))
        self._pad_samples(samples, inputs['valid'])
        return dict(
            inputs=inputs,
            data_samples=dict(
                labelled=labelled['data_samples'], unlabelled=samples
            ),
        )

    def _check(self, images: list[Tensor], setting: str) -> None:
        check_channels(images, getattr(self.base, 'mean', None), setting)
        check_sizes(images, self.base.size, setting)

    def _stack(
        self, inputs: list[Tensor], data_samples: list[SegDataSample]
    ) -> dict[str, Any]:
        """Normalise, pad and stack images, as ``SegDataPreProcessor`` does.

        Images of one size are normalised together: on a GPU, launching a
        kernel for each image takes longer than the computation itself.
        """
        base = self.base
        images = self._normalised(inputs)
        if images is None:
            return base(
                dict(inputs=inputs, data_samples=data_samples), training=True
            )
        stacked, samples = stack_batch(
            inputs=list(images),
            data_samples=data_samples,
            size=base.size,
            size_divisor=base.size_divisor,
            pad_val=base.pad_val,
            seg_pad_val=base.seg_pad_val,
        )
        return dict(inputs=stacked, data_samples=samples)

    def _normalised(self, inputs: list[Tensor]) -> Optional[Tensor]:
        """Normalised images (N, C, h, w); None if the base must do it."""
        base = self.base
        alike = {(x.shape, x.dtype) for x in inputs}
        plain = type(base) is SegDataPreProcessor and not base.batch_augments
        if len(alike) > 1 or not plain:
            return None
        images = torch.stack(list(inputs))
        if swaps_channels(base) and images.shape[1] == 3:
            images = images.flip(1)
        images = images.float()
        if base._enable_normalize:
            images = images.sub_(base.mean).div_(base.std)
        return images

    def _is_padded(self, height: int, width: int) -> bool:
        """Whether images of this size get padding."""
        if self.base.size is not None:
            return height < self.base.size[-2] or width < self.base.size[-1]
        divisor = max(self.base.size_divisor, 1)
        return bool(height % divisor or width % divisor)

    def _stack_views(self, parts: list[dict]) -> dict[str, Any]:
        """Stack the views of all unlabelled items."""
        items: dict[str, list] = {}
        for part in parts:
            for key, values in part['inputs'].items():
                items.setdefault(key, []).extend(values)
        weak = items['weak']
        strong = _by_kind(parts, 'strong')
        views = [*weak, *(image for view in strong for image in view)]
        self._check(views, 'unlabelled.pipeline')
        images, valid = self._stack_valid(views, items['valid'])
        m = len(weak)
        outputs: dict[str, Any] = dict(
            weak=images[:m],
            strong=images[m:].view(-1, *images[:m].shape),
            valid=valid,
        )
        if 'mix_box' in items:
            outputs['mix_boxes'] = torch.stack(items['mix_box'])
        if 'mix_mask' in items:
            size = valid.shape[-2:]
            outputs['mix_masks'] = torch.stack(
                [_pad_to(mask, size, False) for mask in items['mix_mask']]
            )
        if 'mix_classes' in items:
            outputs['mix_classes'] = torch.stack(items['mix_classes'])
        if 'soft_labels' in items:
            outputs['soft_labels'] = _by_kind(parts, 'soft_labels')
            outputs['places'] = [
                _pad_to(places.permute(2, 0, 1), valid.shape[-2:], 0.5)
                for places in items['places']
            ]
        return outputs

    def _stack_valid(
        self, views: list[Tensor], valid: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Stack views; the first ``len(valid)`` have maps of valid pixels."""
        size = views[0].shape[-2:]
        images = None if self._is_padded(*size) else self._normalised(views)
        if images is not None:
            return images, torch.stack(valid).view(-1, *size) == 1
        carriers = [
            SegDataSample(gt_sem_seg=PixelData(data=each)) for each in valid
        ]
        carriers += [SegDataSample() for _ in views[len(valid) :]]
        stacked = self._stack(views, carriers)
        # Padding has the label fill value, which is not 1.
        maps = [
            sample.gt_sem_seg.data[0] == 1
            for sample in stacked['data_samples'][: len(valid)]
        ]
        return stacked['inputs'], torch.stack(maps)

    @staticmethod
    def _pad_samples(samples: list[SegDataSample], valid: Tensor) -> None:
        """Pad the masks kept for monitoring to the size of the views."""
        for sample in samples:
            if 'gt_sem_seg' in sample:
                mask = sample.gt_sem_seg.data
                sample.gt_sem_seg = PixelData(
                    data=_pad_to(mask, valid.shape[-2:], 255)
                )


def _by_kind(parts: list[dict], key: str) -> list[list[Tensor]]:
    """Group the tensors of all M images by view or learner.

    An item holds a list of views; collating turns a batch of items into one
    list of N images per view.
    """
    kinds = zip(*(part['inputs'][key] for part in parts))
    return [[tensor for part in kind for tensor in part] for kind in kinds]


def _pad_to(tensor: Tensor, size: torch.Size, value: Any) -> Tensor:
    """Pad (..., h, w) at the right and the bottom to (..., H, W)."""
    height, width = tensor.shape[-2:]
    if (height, width) == tuple(size):
        # `F.pad` would copy it.
        return tensor
    padding = (0, size[1] - width, 0, size[0] - height)
    return F.pad(tensor, padding, value=value)
