"""IoU of several learners in one pass."""

import logging
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from rml_mmseg.models.utils.learner_names import prediction_key
from rml_mmseg.setting_checks import list_of_names

from .class_iou_metric import ClassIoUMetric, check_settings


@METRICS.register_module()
class LearnersIoUMetric(BaseMetric):
    """``ClassIoUMetric`` for the deployed learner and for others.

    The deployed learner's scores keep their bare names (``mIoU``); those of
    ``learners``, all of which ``model.test_cfg.score`` must name, come as
    ``{name}/mIoU``. The model predicts in one pass; this only counts. Under
    test-time augmentation, which merges the predictions of the deployed
    learner alone, it leaves out the others with a warning.

    Args:
        learners (Sequence[str]): Names of other learners to score, such as
            ``'students.0'``. Defaults to none.
        kwargs: Arguments of ``ClassIoUMetric``, which has those of mmseg's
            ``IoUMetric``.

    Raises:
        KeyError: If the model made no prediction for a learner.
        ValueError: If a setting is unknown.
    """

    def __init__(self, learners: Sequence[str] = (), **kwargs: Any) -> None:
        check_settings(kwargs, ['learners', 'classes'])
        learners = list_of_names('evaluator.learners', learners)
        super().__init__(
            collect_device=kwargs.get('collect_device', 'cpu'),
            prefix=kwargs.get('prefix'),
        )
        self.deployed = ClassIoUMetric(**kwargs)
        kwargs.update(output_dir=None)
        self.others = {name: ClassIoUMetric(**kwargs) for name in learners}

    @property
    def dataset_meta(self) -> Optional[dict]:
        """dict: Meta information of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        self._dataset_meta = meta
        self.deployed.dataset_meta = meta
        for metric in self.others.values():
            metric.dataset_meta = meta

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count a batch for every learner."""
        self.deployed.process(data_batch, data_samples)
        if self.deployed.format_only:
            return
        if any(sample.get('views_are_merged') for sample in data_samples):
            self._leave_out_others()
        for name, metric in self.others.items():
            key = prediction_key(name)
            own = []
            for sample in data_samples:
                if key not in sample:
                    raise KeyError(
                        f'the model made no prediction for {name!r}: add it '
                        'to model.test_cfg.score, or remove it from '
                        'val_evaluator.learners'
                    )
                own.append(
                    dict(
                        pred_sem_seg=sample[key],
                        gt_sem_seg=sample['gt_sem_seg'],
                    )
                )
            metric.process(data_batch, own)

    def _leave_out_others(self) -> None:
        """Score the deployed learner alone."""
        if self.others:
            print_log(
                'test-time augmentation predicts with the deployed learner '
                f'alone: not scored are {", ".join(self.others)}',
                logger='current',
                level=logging.WARNING,
            )
            self.others = {}

    def compute_metrics(self, results: list) -> dict:
        """Not used: every learner's metric computes its own."""
        return {}

    def evaluate(self, size: int) -> dict:
        """Scores of all learners.

        Args:
            size (int): Number of images in the data set.

        Returns:
            dict: The deployed learner's scores, then ``{name}/mIoU``, all
            with the prefix, if there is one.
        """
        if self.others:
            # Otherwise its table would be the only one without a name.
            print_log('the deployed learner:', logger='current')
        scores = self.deployed.evaluate(size)
        if self.deployed.format_only:
            return scores
        for name, metric in self.others.items():
            print_log(f'{name}:', logger='current')
            for key, value in metric.evaluate(size).items():
                *prefix, score = key.rsplit('/', 1)
                scores['/'.join([*prefix, name, score])] = value
        return scores
