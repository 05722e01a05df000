"""IoU with scores of single classes."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

from rml_mmseg.setting_checks import check_choice, check_known, list_of_names

# mmseg's own tools/test.py sets it, and nothing reads it.
UNREAD = 'keep_results'


def check_settings(names: Iterable[str], own: Sequence[str]) -> None:
    """Refuse settings that ``IoUMetric`` would silently ignore.

    Args:
        names (Iterable[str]): Settings of an evaluator.
        own (Sequence[str]): Settings that it has beside mmseg's.

    Raises:
        ValueError: If one is unknown; names it and the closest known one.
    """
    stock = inspect.signature(IoUMetric.__init__).parameters
    known = [*own, *(key for key in stock if key not in ('self', 'kwargs'))]
    check_known('evaluator', [name for name in names if name != UNREAD], known)


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric``, with scores of single classes beside the means.

    For a network whose purpose is one class, ``classes=('crack',)`` gives
    ``IoU.crack`` and ``Acc.crack`` beside ``mIoU``, and ``Dice.crack`` with
    ``iou_metrics=['mDice']``: in the log, for ``save_best`` and for plots.

    Args:
        classes (Sequence[str]): Names of such classes. Defaults to none.
        kwargs: Arguments of ``IoUMetric``.

    Raises:
        ValueError: If the data set has no such class, or a setting is
            unknown.
    """

    def __init__(self, classes: Sequence[str] = (), **kwargs: Any) -> None:
        check_settings(kwargs, ['classes'])
        names = list_of_names('evaluator.classes', classes)
        super().__init__(**kwargs)
        self.classes = names

    @property
    def dataset_meta(self) -> Optional[dict]:
        """dict: Meta information of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        for name in self.classes:
            known = list(meta.get('classes') or ())
            check_choice('evaluator.classes', name, known)
        self._dataset_meta = meta

    def _scores(self, areas: list) -> dict[str, Any]:
        """Scores of all classes from intersection, union and both areas."""
        tensors = [torch.as_tensor(area) for area in areas]
        return dict(
            self.total_area_to_metrics(
                *tensors, self.metrics, self.nan_to_num, self.beta
            )
        )

    def score_names(self) -> set[str]:
        """Names of all scores, without the prefix."""
        made = self._scores([torch.ones(1)] * 4)
        means = {key if key == 'aAcc' else f'm{key}' for key in made}
        return means | {
            f'{key}.{name}'
            for key in made.keys() - {'aAcc'}
            for name in self.classes
        }

    def compute_metrics(self, results: list) -> dict[str, float]:
        """The means, and ``{score}.{class}``, in per cent."""
        scores: dict[str, float] = super().compute_metrics(results)
        if self.format_only or not self.classes:
            return scores
        made = self._scores([sum(areas) for areas in zip(*results)])
        names = list((self.dataset_meta or {})['classes'])
        for key in made.keys() - {'aAcc'}:
            for name in self.classes:
                value = made[key][names.index(name)]
                scores[f'{key}.{name}'] = np.round(value * 100, 2)
        return scores
