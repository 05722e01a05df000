"""Checks of what the pipelines of a semi-supervised batch return."""

from collections.abc import Mapping, Sequence
from typing import Any


def check_packed(item: Any, setting: str) -> None:
    """Check that a pipeline has packed its item.

    Args:
        item (dict): Output of the pipeline.
        setting (str): The pipeline's name in the config.

    Raises:
        ValueError: If ``inputs`` or ``data_samples`` is missing.
    """
    lacking = [k for k in ('inputs', 'data_samples') if k not in item]
    if lacking:
        raise ValueError(
            f'{setting} gives no {" and no ".join(lacking)}: it must begin '
            "with dict(type='LoadImageFromFile') and end with "
            "dict(type='PackSegInputs')"
        )


def check_batch(data: Mapping[str, Any]) -> None:
    """Check that a collated batch has masks, and weak and strong views.

    Args:
        data (dict): ``labelled``, a batch, and ``unlabelled``, a list of k
            batches.

    Raises:
        ValueError: If a pipeline lacks the transform that adds them.
    """
    check_packed(data['labelled'], 'labelled.pipeline')
    samples = data['labelled']['data_samples']
    if not all('gt_sem_seg' in sample for sample in samples):
        raise ValueError(
            "labelled.pipeline gives no masks: put dict(type='LoadAnnotations'"
            ') after LoadImageFromFile'
        )
    for part in data['unlabelled']:
        if not isinstance(part.get('inputs'), Mapping):
            raise ValueError(
                'unlabelled.pipeline gives no weak and strong views: end it '
                "with dict(type='WeakStrongViews') and "
                "dict(type='PackSemiSegInputs') instead of PackSegInputs"
            )


def check_channels(images: Sequence[Any], mean: Any, setting: str) -> None:
    """Check that images have as many channels as the normalisation.

    Args:
        images (list[Tensor]): Images, each (C, h, w).
        mean (Tensor, optional): (C, 1, 1), or one value for any number of
            channels; None without normalisation.
        setting (str): The pipeline's name in the config.

    Raises:
        ValueError: If an image has another number of channels.
    """
    wanted = 1 if mean is None else len(mean)
    for image in images:
        if wanted not in (1, len(image)):
            raise ValueError(
                f'{setting} gives images of {len(image)} channels, but '
                f'model.data_preprocessor.mean has {wanted} values: set '
                "color_type of LoadImageFromFile ('color' gives 3 channels), "
                'or mean and std'
            )


def check_sizes(images: Sequence[Any], size: Any, setting: str) -> None:
    """Check that the images of a batch can be padded to one size.

    Args:
        images (list[Tensor]): Images, each (3, h, w).
        size (tuple[int, int], optional): Height and width to pad to; None
            to pad to the largest image.
        setting (str): The pipeline's name in the config.

    Raises:
        ValueError: If the images differ in size and one exceeds ``size``.
    """
    found = sorted({tuple(image.shape[-2:]) for image in images})
    if size is None or len(found) == 1:
        return
    beyond = [s for s in found if s[0] > size[0] or s[1] > size[1]]
    if beyond:
        raise ValueError(
            f'{setting} gives images of (height, width) {beyond[-1]}, larger '
            f'than model.data_preprocessor.size={tuple(size)}: crop all '
            "images to that size with dict(type='RandomCrop', "
            'crop_size=...), or set it to the size of the crops'
        )
