"""Configs that are ready to train on the data set."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rml_mmseg.packaged_configs import base_path
from rml_mmseg.run_length import LONG_RUN, length_settings

from .config_texts import (
    CONSTRUCTOR,
    DATA,
    IMAGE_SCORES,
    LEARNERS_SCORES,
    MUTUAL,
    NO_TEST,
    OPTIMISER,
    PARAMWISE,
    SCORED,
    SCORED_SET,
    SEMI,
)

STRIDE = 16
TTA_FACTORS = (0.75, 1.0, 1.25)


class Networks(NamedTuple):
    """A pair of networks from the package's base configs.

    Attributes:
        single (str): Base of the baseline, ``_base_/models/{single}.py``.
        pair (str): Base of the pair, likewise.
        names (tuple[str, str]): Variables of the segmentors in the pair's
            base; the first is the baseline's network.
        pretrained (bool): Whether the backbones load pretrained weights.
        about (str): Description for the user.
    """

    single: str
    pair: str
    names: tuple[str, str]
    pretrained: bool
    about: str


NETWORKS = {
    'small': Networks(
        'mobilenetv2_small',
        'mutual_mobilenetv2_vit_small',
        ('mobilenetv2', 'vit'),
        True,
        'MobileNetV2, and a transformer over ResNet-18; '
        'pretrained where WEIGHTS_ROOT has the weights',
    ),
    'tiny': Networks(
        'resnet_tiny',
        'mutual_resnet_vit_tiny',
        ('resnet', 'vit'),
        False,
        'a narrow ResNet-18 and a small transformer from random weights, '
        'for a trial run',
    ),
}


class TrainingPlan(NamedTuple):
    """Settings that the configs are made from.

    Attributes:
        classes (tuple[str, ...]): Class names.
        palette (list[list[int]]): RGB colours of the classes.
        suffix (str): Suffix of the images.
        scale (tuple[int, int]): Width and height in pixels that images are
            resized to, keeping their aspect ratio.
        crop_size (tuple[int, int]): Height and width of crops in pixels.
        networks (str): Key of ``NETWORKS``.
        iters (int): Number of iterations.
        batch_size (int): Labelled images per iteration, and as many
            unlabelled ones.
        held_out (tuple[str, ...]): Those of ``'val'`` and ``'test'`` that
            have images.
    """

    classes: tuple[str, ...]
    palette: list[list[int]]
    suffix: str
    scale: tuple[int, int]
    crop_size: tuple[int, int]
    networks: str
    iters: int
    batch_size: int
    held_out: tuple[str, ...]


def training_sizes(
    sizes: Iterable[tuple[int, int]], long_side: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Choose the scale and the crop for images of given sizes.

    Args:
        sizes (Iterable): Heights and widths in pixels.
        long_side (int): Largest longer side of the scale, in pixels.

    Returns:
        tuple: The scale (width, height), from the median image size, and the
        crop (height, width), 0.95 of the scale rounded down to multiples of
        16.
    """
    height, width = np.median(np.array(list(sizes)), axis=0)
    factor = min(1.0, long_side / max(height, width))
    scale = tuple(max(1, round(factor * side)) for side in (width, height))
    crop = tuple(
        max(STRIDE, int(0.95 * side) // STRIDE * STRIDE)
        for side in (scale[1], scale[0])
    )
    return (scale[0], scale[1]), (crop[0], crop[1])


def config_texts(out: Path, plan: TrainingPlan) -> dict[str, str]:
    """Write the texts of all configs.

    Args:
        out (Path): Folder of the data set, where the configs will be.
        plan (TrainingPlan): Settings that they are made from.

    Returns:
        dict[str, str]: Texts by file name.
    """
    networks = NETWORKS[plan.networks]
    texts = {
        'dataset_config.py': _dataset_text(plan),
        'supervised.py': _head(
            'The supervised baseline', out, 'supervised', networks.single
        )
        + _lines(
            'model = dict(',
            f'    data_preprocessor=dict(size={plan.crop_size}),',
            f'    decode_head=dict(num_classes={len(plan.classes)}),',
            ')',
        )
        + _run_text(plan, mutual=False),
    }
    segmentors = [
        f'{name} = _base_.{name}\n'
        f'{name}.decode_head.num_classes = {len(plan.classes)}'
        for name in networks.names
    ]
    texts['rml.py'] = (
        _head('Robust Mutual Learning', out, 'rml', networks.pair)
        + _lines(
            *segmentors,
            'model = dict(',
            f'    data_preprocessor=dict(size={plan.crop_size}),',
            f'    segmentors=[{", ".join(networks.names)}],',
            *_length_texts(plan),
            ')',
        )
        + SEMI
        + _run_text(plan, mutual=True)
        + MUTUAL.format(
            teachers=_call(length_settings(plan.iters).teachers),
            interval=_interval(plan),
            often=_often(plan),
        )
        + (SCORED if plan.held_out else ']\n')
        + ''.join(LEARNERS_SCORES.format(split=s) for s in _scored(plan))
    )
    return texts


def _lines(*lines: str) -> str:
    return ''.join(f'{line}\n' for line in lines)


def _head(title: str, out: Path, name: str, model: str) -> str:
    bases = (f'models/{model}.py', 'runtime/default.py')
    return _lines(
        f'# {title} on the data set of this folder.',
        '_base_ = [',
        *(f'    {base_path(out, base)!r},' for base in bases),
        "    './dataset_config.py',",
        ']',
        '# For this data set only; others have configs of the same name.',
        f'work_dir = {f"./work_dirs/{out.resolve().name}/{name}"!r}',
    )


def _scored(plan: TrainingPlan) -> tuple[str, ...]:
    """Splits to score; without test images, those for validation twice."""
    return ('val', 'test') if 'val' in plan.held_out else plan.held_out


def _interval(plan: TrainingPlan) -> int:
    return max(1, plan.iters // 4)


def _call(settings: dict[str, Any]) -> str:
    """Text of the ``dict`` call that makes the settings."""
    return f'dict({", ".join(f"{k}={v!r}" for k, v in settings.items())})'


def _length_texts(plan: TrainingPlan) -> list[str]:
    """Model settings that depend on the length of a stage.

    Networks from random weights keep the settings of their base.
    """
    if not NETWORKS[plan.networks].pretrained:
        return []
    length = length_settings(plan.iters)
    about = 'Best in short runs with few labels: docs/results.md'
    labels = length.semi_train_cfg
    if plan.iters >= LONG_RUN:
        # The bases suit short runs, where the ground truth must weigh more.
        about, labels = "The paper's", dict(unsup_weight=1.0)
    return [
        f'    # {about}',
        f'    rectifier={_call(length.rectifier)},',
        f'    semi_train_cfg={_call(labels)},',
    ]


def _often(plan: TrainingPlan) -> int:
    """Iterations between two points of a curve."""
    return max(1, min(50, plan.iters // 20))


def _run_text(plan: TrainingPlan, mutual: bool) -> str:
    interval = _interval(plan)
    burn_in = length_settings(plan.iters).burn_in
    best = ", save_best='mIoU'" if 'val' in plan.held_out else ''
    text = OPTIMISER.format(
        constructor=CONSTRUCTOR if mutual else '',
        paramwise=PARAMWISE if NETWORKS[plan.networks].pretrained else '',
    )
    text += _lines(
        'train_cfg = dict(',
        "    type='StagedTrainLoop',",
        f'    iters_per_stage={plan.iters},',
        *([f'    burn_in_iters={burn_in},'] if mutual else []),
        f'    val_interval={interval},',
        ')',
        'default_hooks = dict(',
        f'    checkpoint=dict(interval={interval}{best}),',
        f'    logger=dict(interval={_often(plan)}),',
        ')',
    )
    return text + _lines(
        *(f"{s}_cfg = dict(type='{s.title()}Loop')" for s in _scored(plan))
    )


def _rows(values: Sequence[object]) -> str:
    return ''.join(f'        {value!r},\n' for value in values)


def _dataset_text(plan: TrainingPlan) -> str:
    text = DATA.format(
        num_classes=len(plan.classes),
        classes=_rows(plan.classes),
        palette=_rows(plan.palette),
        scale=plan.scale,
        tta_scales=[
            tuple(round(factor * side) for side in plan.scale)
            for factor in TTA_FACTORS
        ],
        crop_size=plan.crop_size,
        suffix=plan.suffix,
        batch_size=plan.batch_size,
    )
    for split in plan.held_out:
        text += SCORED_SET.format(split=split, suffix=plan.suffix)
    if plan.held_out == ('val',):
        text += NO_TEST
    return text + (IMAGE_SCORES if plan.held_out else '')
