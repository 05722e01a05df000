"""Checks of pipelines for images without masks."""

from collections.abc import Sequence
from typing import Any

from mmseg.datasets.transforms import LoadAnnotations, RandomCrop


def check_maskless(setting: str, steps: Sequence[Any]) -> None:
    """Refuse transforms that need masks, for images that have none.

    Args:
        setting (str): The pipeline's name in a config.
        steps (Sequence[BaseTransform]): Its transforms.

    Raises:
        ValueError: If a transform needs masks.
    """
    for step in steps:
        # Its subclass MarkValid works without masks.
        if type(step) is LoadAnnotations:
            raise ValueError(
                f'{setting}: LoadAnnotations reads masks, which these images '
                'do not have. Remove it'
            )
        if isinstance(step, RandomCrop) and step.cat_max_ratio < 1:
            raise ValueError(
                f'{setting}: RandomCrop(cat_max_ratio={step.cat_max_ratio}) '
                'reads labels, which these images do not have. Set '
                'cat_max_ratio=1.0'
            )
