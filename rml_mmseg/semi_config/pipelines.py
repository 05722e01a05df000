"""Pipelines of unlabelled images, derived from those of labelled ones."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from rml_mmseg.engine.checks.registered import type_name

GEOMETRIC = (
    'Pad',
    'RandomChoiceResize',
    'RandomCrop',
    'RandomFlip',
    'RandomResize',
    'RandomRotate',
    'RandomRotFlip',
    'Resize',
    'ResizeShortestEdge',
    'ResizeToMultiple',
)
"""Transforms that move the label map, and so the valid map, with the image."""
FIXED = ('AdjustGamma', 'CLAHE', 'RGB2Gray', 'Rerange')
"""Transforms that change every image alike, so that all views need them."""
EDGES = 'GenerateEdge'
LEFT_OUT = (EDGES, 'PhotoMetricDistortion', 'RandomCutOut')
"""Transforms of labels, or of random colours, which only strong views get."""
RECOLOURED = [dict(type='PhotometricRandAugment')]
"""Transforms of strong views, unless the data config gives others."""
JITTERED = [
    dict(
        type='RandomApply',
        prob=0.8,
        transforms=[
            dict(
                type='mmpretrain.ColorJitter',
                brightness=0.5,
                contrast=0.5,
                saturation=0.5,
                hue=0.25,
            )
        ],
    ),
    dict(
        type='mmpretrain.RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.299),
    ),
    dict(
        type='mmpretrain.GaussianBlur',
        prob=0.5,
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
    ),
]
STRONG_VIEWS = dict(randaugment=RECOLOURED, jitter=JITTERED)
"""Strong views by name: RML's, and that of ClassMix, UniMatch, UniMatch V2."""
BOXES = [dict(type='CutMix')]


def unlabelled_pipeline(
    train_pipeline: Sequence[dict],
    num_strong: int,
    strong: Sequence[dict] = RECOLOURED,
    mixing: Sequence[dict] = BOXES,
) -> list[dict[str, Any]]:
    """Pipeline that loads an image, transforms its geometry and makes views.

    Args:
        train_pipeline (Sequence[dict]): Training pipeline of a stock config,
            which gives the geometric transforms.
        num_strong (int): Number of strong views.
        strong (Sequence[dict]): Transforms of their colours; none if they
            equal the weak view. Defaults to ``RECOLOURED``.
        mixing (Sequence[dict]): Transforms that mix the views. Defaults to
            ``BOXES``, which pastes boxes of another image.

    Returns:
        list[dict]: The pipeline of ``UnlabelledSegDataset``.

    Raises:
        ValueError: If a transform is not known to move the label map with
            the image.
    """
    steps: list[dict[str, Any]] = []
    for step in copy.deepcopy(list(train_pipeline)):
        name = type_name(step)
        if name == 'LoadImageFromFile':
            steps += [dict(step), dict(type='MarkValid')]
        elif name == 'RandomCrop':
            # The share of a class is known only in labelled images.
            steps.append(dict(step, cat_max_ratio=1.0))
        elif name in (*GEOMETRIC, *FIXED):
            steps.append(dict(step))
        elif name not in ('LoadAnnotations', 'PackSegInputs', *LEFT_OUT):
            raise ValueError(
                f'train_pipeline: {name!r} may not suit images without '
                'labels. Supported are '
                f'{", ".join((*GEOMETRIC, *FIXED))}. Remove it from a copy '
                'of the stock config, or write the pipeline by hand'
            )
    if not any(step['type'] == 'MarkValid' for step in steps):
        raise ValueError('train_pipeline must begin with LoadImageFromFile')
    views: dict[str, Any] = dict(type='WeakStrongViews', num_strong=num_strong)
    if strong:
        views['strong'] = copy.deepcopy(list(strong))
    return [
        *steps,
        views,
        *copy.deepcopy(list(mixing)),
        dict(type='PackSemiSegInputs'),
    ]


def with_edges(
    pipeline: Sequence[dict], stock_pipelines: Iterable[Sequence[dict]]
) -> list[dict[str, Any]]:
    """Add the edge maps that some networks learn, such as PIDNet.

    Args:
        pipeline (Sequence[dict]): Pipeline of labelled images; its last
            transform packs them.
        stock_pipelines (Iterable): Training pipelines that the networks have
            in mmseg.
    """
    steps = copy.deepcopy(list(pipeline))
    if any(type_name(step) == EDGES for step in steps):
        return steps
    others = [step for steps in stock_pipelines for step in steps]
    edges = [step for step in others if type_name(step) == EDGES]
    return [*steps[:-1], *copy.deepcopy(edges[:1]), *steps[-1:]]


def strong_steps(pipeline: Sequence[dict]) -> list[dict[str, Any]]:
    """Transforms by which an unlabelled pipeline recolours strong views."""
    for step in pipeline:
        if type_name(step) == 'WeakStrongViews':
            return copy.deepcopy(list(step.get('strong') or ()))
    return []


def image_pipeline(test_pipeline: Sequence[dict]) -> list[dict[str, Any]]:
    """Pipeline that loads whole images as in a test, without their masks.

    Args:
        test_pipeline (Sequence[dict]): Test pipeline of a stock config.
    """
    return [
        dict(copy.deepcopy(step))
        for step in test_pipeline
        if type_name(step) != 'LoadAnnotations'
    ]


def without_zero_label(pipeline: Sequence[dict]) -> list[dict[str, Any]]:
    """Drop ``reduce_zero_label`` from a pipeline: id 0 is a class."""
    return [
        {k: v for k, v in copy.deepcopy(dict(step)).items() if k != KEY}
        if type_name(step) == 'LoadAnnotations'
        else copy.deepcopy(dict(step))
        for step in pipeline
    ]


KEY = 'reduce_zero_label'
