"""Statistics of how often the classes occur."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..counted import counted
from .annotations import IGNORED
from .division import HELD_OUT
from .item_report import ItemReport


def statistics(
    splits: Mapping[str, Sequence[str]],
    reports: Mapping[str, ItemReport],
    names: Sequence[str],
) -> dict[str, Any]:
    """Count the pixels and images of each class.

    Args:
        splits (Mapping[str, Sequence[str]]): Names of images by split.
        reports (Mapping[str, ItemReport]): Reports by name.
        names (Sequence[str]): Class names.

    Returns:
        dict: Number of images of every split; for splits with masks also the
        number of ignored pixels and, by class, the number of pixels, their
        share of all labelled pixels and the number of images that show the
        class.
    """
    result: dict[str, Any] = {}
    for split, members in splits.items():
        found = [reports[name].pixels for name in members]
        counts = np.array([c for c in found if c is not None])
        result[split] = dict(images=len(members))
        if not counts.size:
            continue
        pixels = counts[:, : len(names)].sum(axis=0)
        shown = (counts[:, : len(names)] > 0).sum(axis=0)
        result[split]['ignored_pixels'] = int(counts[:, IGNORED].sum())
        result[split]['classes'] = {
            name: dict(
                pixels=int(pixels[index]),
                share=round(float(pixels[index] / max(pixels.sum(), 1)), 6),
                images=int(shown[index]),
            )
            for index, name in enumerate(names)
        }
    return result


def statistics_lines(report: Mapping[str, Any]) -> list[str]:
    """The statistics as lines of text, with warnings about what is missing.

    Args:
        report (Mapping): What :func:`statistics` returns.
    """
    lines = []
    absent: dict[str, list[str]] = {}
    for split, found in report.items():
        lines.append(f'{split}: {counted(found["images"], "image")}')
        for name, row in found.get('classes', {}).items():
            lines.append(
                f'  {name:<20}{100 * row["share"]:6.2f} % of the pixels, in '
                f'{counted(row["images"], "image")}'
            )
            if not row['images']:
                absent.setdefault(split, []).append(name)
    if 'labelled' in absent:
        lines.append(
            f'warning: no labelled image for training shows '
            f'{", ".join(absent["labelled"])}: no network will learn them'
        )
    if 'val' in report and not report['val']['images']:
        lines.append(
            'warning: there are no validation images: training gives no score '
            'and keeps the last checkpoints, not the best one. Set '
            '--val-fraction or --val-list to use some labelled images'
        )
    for split in HELD_OUT:
        if split in absent:
            lines.append(
                f'warning: no image for {split} shows '
                f'{", ".join(absent[split])}: their IoU will be nan'
            )
    return lines
