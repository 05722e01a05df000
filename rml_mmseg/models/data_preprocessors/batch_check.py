"""What the pipelines of a semi-supervised batch must give."""

from collections.abc import Mapping, Sequence
from typing import Any


def check_packed(item: Any, setting: str) -> None:
    """Make sure that a pipeline has packed an image.

    Args:
        item (dict): What the pipeline gave.
        setting (str): The pipeline's name in a config.

    Raises:
        ValueError: If it is not packed.
    """
    lacking = [k for k in ('inputs', 'data_samples') if k not in item]
    if lacking:
        raise ValueError(
            f'{setting} gives no {" and no ".join(lacking)}: it must begin '
            "with dict(type='LoadImageFromFile') and end with "
            "dict(type='PackSegInputs')"
        )


def check_batch(data: Mapping[str, Any]) -> None:
    """Make sure that a collated batch has masks, and views.

    Args:
        data (dict): ``labelled``, a batch, and ``unlabelled``, a list of k.

    Raises:
        ValueError: If a pipeline lacks the step that makes them.
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
                "dict(type='PackSemiSegInputs') in the place of PackSegInputs"
            )


def check_channels(images: Sequence[Any], mean: Any, setting: str) -> None:
    """Make sure that images have the channels that they are normalised by.

    Args:
        images (list[Tensor]): Of (C, h, w) each.
        mean (Tensor, optional): (C, 1, 1), None without normalisation.
        setting (str): The pipeline's name in a config.

    Raises:
        ValueError: If an image has others.
    """
    wanted = 1 if mean is None else len(mean)
    for image in images:
        if wanted not in (1, len(image)):
            raise ValueError(
                f'{setting} gives images of {len(image)} channels, and '
                f'model.data_preprocessor.mean has {wanted} values: set '
                "color_type of LoadImageFromFile ('color' gives 3 channels), "
                'or mean and std'
            )


def check_sizes(images: Sequence[Any], size: Any, setting: str) -> None:
    """Make sure that images of a batch can be padded to one size.

    Args:
        images (list[Tensor]): Of (3, h, w) each.
        size (tuple[int, int], optional): Height and width that they are
            padded to, None for those of the largest one.
        setting (str): The pipeline's name in a config.

    Raises:
        ValueError: If they differ, and one is larger than the size.
    """
    found = sorted({tuple(image.shape[-2:]) for image in images})
    if size is None or len(found) == 1:
        return
    beyond = [s for s in found if s[0] > size[0] or s[1] > size[1]]
    if beyond:
        raise ValueError(
            f'{setting} gives images of (height, width) {beyond[-1]}, beyond '
            f'model.data_preprocessor.size={tuple(size)}: crop all images to '
            "it by dict(type='RandomCrop', crop_size=...), or set it to the "
            'size of the crops'
        )
