"""How a training pipeline changes the size of an image."""

from statistics import fmean
from typing import Any

from rml_mmseg.datasets.seeding import seeded

# Enlargement by more than this factor is worth a warning.
MUCH = 2.0


def size_notes(dataset: Any, draws: int = 8) -> list[str]:
    """Describe the size of the first image, in its file and in training.

    Args:
        dataset (BaseSegDataset): Data set whose pipeline ends with
            ``PackSegInputs``.
        draws (int): How often the image is read, to average random sizes.
            Defaults to 8.

    Returns:
        list[str]: A line, and a warning if images are enlarged a lot; empty
        if the pipeline does not record the sizes.
    """
    crops, shares, factors = [], [], []
    for number in range(draws):
        with seeded(number):
            sample = dataset[0]['data_samples']
        known = sample.metainfo_keys()
        if not {'ori_shape', 'img_shape', 'scale_factor'} <= {*known}:
            return []
        height, width = sample.ori_shape
        across, down = sample.scale_factor
        crops.append(sample.img_shape)
        factors.append((across * down) ** 0.5)
        area = height * down * width * across
        shares.append(min(crops[-1][0] * crops[-1][1] / area, 1.0))
    factor = fmean(factors)
    notes = [
        f'an image of {width}x{height} is scaled by {factor:.2g} and cropped '
        f'to {crops[0][1]}x{crops[0][0]}, about {fmean(shares):.0%} of it'
    ]
    if factor > MUCH:
        notes.append(
            'warning: images are strongly enlarged. Change the Resize steps '
            'and the crop of the pipelines, or with --dataset leave out '
            '--geometry=stock'
        )
    return notes
