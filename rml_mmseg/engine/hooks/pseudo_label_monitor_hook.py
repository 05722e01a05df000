"""Scalars that tell how good and how independent pseudo labels are."""

from typing import Any, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from rml_mmseg.models.utils.coupling import agreement, total_variation

from ..unwrap import unwrap


@HOOKS.register_module()
class PseudoLabelMonitorHook(Hook):
    """Looks at the pseudo labels of one iteration in ``interval``.

    Nothing it does reaches a weight or a random number. All scalars are
    under ``train/monitor/``; shares are in [0, 1], T is a teacher:

    - ``total_variation``, ``agreement``: of the first two teachers'
      probabilities and of their most probable classes on the weak views;
      a total variation near 0 is the coupling of Figure 2 of RML.
    - ``T/confidence``: mean largest probability.
    - ``T/changed``: pixels whose label the rectifier changed.
    - ``T/accuracy``, ``T/mIoU``, and ``T/accuracy_raw``, ``T/mIoU_raw``
      before rectification: against the masks of unlabelled images, where
      the dataset has them (``unlabelled.data_prefix.seg_map_path``); from
      the iterations looked at in the last ``window``.
    - ``T/prior_gap``: total variation between the classes' frequencies in
      the pseudo labels and in the ground truth of the labelled images.
    - ``T/prototype_drift``: mean distance a prototype moved since the last
      look; ``T/nearest_prototypes``: smallest distance of two prototypes.

    Args:
        interval (int): Iterations from look to look. Defaults to 50.
        window (int): Looks that accuracy and mIoU are taken over. Defaults
            to 10.

    Raises:
        ValueError: If a setting is below 1.
    """

    # After MutualEMAHook, before the logger reads the scalars.
    priority = 'BELOW_NORMAL'

    def __init__(self, interval: int = 50, window: int = 10) -> None:
        for name, value in (('interval', interval), ('window', window)):
            if value < 1:
                raise ValueError(
                    f'PseudoLabelMonitorHook.{name} must be 1 or more, got '
                    f'{value}'
                )
        self.interval = interval
        self.window = window
        self._matrices: dict[str, list[Tensor]] = {}
        self._prototypes: dict[int, Tensor] = {}
        self._prior: Optional[Tensor] = None

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Ask the model to keep what it makes."""
        model = unwrap(runner.model)
        looks = (runner.iter + 1) % self.interval == 0
        model.record = {} if looks else None

    @torch.no_grad()
    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[dict] = None,
    ) -> None:
        """Compute the scalars."""
        model = unwrap(runner.model)
        record, model.record = model.record, None
        if not record or 'sources' not in record:
            return
        scalars = self._couple(record)
        for name, source in record['sources'].items():
            for key, value in self._look(name, source, record, model).items():
                scalars[f'{name}/{key}'] = value
        for i, rectifier in enumerate(model.rectifiers):
            for key, value in self._look_at_prototypes(i, rectifier).items():
                scalars[f'teachers.{i}/{key}'] = value
        for key, value in scalars.items():
            runner.message_hub.update_scalar(
                f'train/monitor/{key}', float(value)
            )

    @staticmethod
    def _couple(record: dict) -> dict[str, Tensor]:
        """How alike the first two teachers are."""
        probs = [
            source['probs']
            for name, source in record['sources'].items()
            if name.startswith('teachers.')
        ]
        if len(probs) < 2:
            return {}
        valid = record['valid']
        return dict(
            total_variation=total_variation(probs[0], probs[1], valid),
            agreement=agreement(probs[0], probs[1], valid),
        )

    def _look(
        self, name: str, source: dict, record: dict, model: Any
    ) -> dict[str, Tensor]:
        """Scalars of one source of labels."""
        valid, classes = record['valid'], model.num_classes
        count = valid.sum().clamp(min=1)
        changed = (source['labels'] != source['plain']) & valid
        scalars = dict(
            confidence=source['probs'].amax(1)[valid].sum() / count,
            changed=changed.sum() / count,
        )
        found = torch.bincount(source['labels'][valid], minlength=classes)
        truth = record['labelled']
        known = torch.bincount(truth[truth < classes], minlength=classes)
        # All labelled images seen so far: one batch lacks rare classes.
        if self._prior is None:
            self._prior = torch.zeros_like(known)
        if name == next(iter(record['sources'])):
            self._prior = self._prior + known
        prior = self._prior / self._prior.sum().clamp(min=1)
        gap = (found[:classes] / found.sum().clamp(min=1) - prior).abs()
        scalars['prior_gap'] = gap.sum() / 2
        masks = record.get('masks')
        if masks is not None:
            for suffix, labels in (
                ('', source['labels']),
                ('_raw', source['plain']),
            ):
                scalars.update(
                    self._score(name + suffix, suffix, labels, masks, classes)
                )
        return scalars

    def _score(
        self, key: str, suffix: str, labels: Tensor, masks: Tensor, k: int
    ) -> dict[str, Tensor]:
        """Accuracy and mIoU over the window."""
        scored = masks < k
        pairs = masks[scored] * k + labels[scored]
        matrix = torch.bincount(pairs, minlength=k * k).view(k, k).double()
        window = self._matrices.setdefault(key, [])
        window.append(matrix)
        del window[: -self.window]
        total = torch.stack(window).sum(0)
        hits = total.diagonal()
        union = total.sum(0) + total.sum(1) - hits
        present = union > 0
        return {
            f'accuracy{suffix}': hits.sum() / total.sum().clamp(min=1),
            f'mIoU{suffix}': (hits[present] / union[present]).mean(),
        }

    def _look_at_prototypes(
        self, index: int, rectifier: Any
    ) -> dict[str, Tensor]:
        """Scalars of one learner's prototypes."""
        known = rectifier.initialised
        now = rectifier.prototypes.clone()
        scalars = {}
        if index in self._prototypes:
            moved = torch.linalg.vector_norm(
                now - self._prototypes[index], dim=1
            )
            scalars['prototype_drift'] = moved[known].mean()
        self._prototypes[index] = now
        if known.sum() > 1:
            distances = torch.pdist(now[known])
            scalars['nearest_prototypes'] = distances.min()
        return scalars
