"""Scalars that tell how good and how independent pseudo labels are."""

from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from rml_mmseg.datasets.members import class_names
from rml_mmseg.models import PrototypeRectifier
from rml_mmseg.models.utils.coupling import agreement, total_variation
from rml_mmseg.models.utils.pseudo_labels import probability_of
from rml_mmseg.setting_checks import check_choice, check_count, list_of_names

from .recording_hook import RecordingHook

STARVED = 0.1
"""Share of its labelled frequency below which a class counts as starved."""


@HOOKS.register_module()
class PseudoLabelMonitorHook(RecordingHook):
    """Looks at the pseudo labels once every ``interval`` iterations.

    It changes no weight and no random number. All scalars are under
    ``train/monitor/``; shares are in [0, 1], and T is a teacher (a student,
    where students make the labels):

    - ``total_variation``, ``agreement``: between the first two teachers'
      current probabilities, and their most probable classes, on the weak
      views, whatever the labels are made from (between the students, where
      only students make labels); a total variation near 0 is the coupling
      of Figure 2 of RML.
    - ``T/confidence``: mean largest probability of the soft labels p0.
    - ``T/kept``: share of pixels whose labels pass
      ``semi_train_cfg.confidence``, where a threshold is set.
    - ``T/changed``: share of pixels that the rectifier gave another class.
    - ``T/accuracy``, ``T/mIoU``, and ``T/accuracy_raw``, ``T/mIoU_raw``
      before rectification: against the masks of unlabelled images, where
      the dataset has them (``unlabelled.data_prefix.seg_map_path``); over
      the last ``window`` looks.
    - ``T/prior_gap``: total variation between the class frequencies in the
      pseudo labels of the last ``window`` looks and in all labelled images
      seen so far; ``T/starved_classes``: number of classes with less than a
      tenth of their labelled frequency there. Once the window is full, the
      log names these classes whenever they change.
    - ``T/share.NAME``, ``T/IoU.NAME`` and ``T/IoU_raw.NAME`` for each of
      ``classes``: share of the pseudo labels, and IoU as above.
    - ``T/prototype_drift``: mean distance a prototype moved since the last
      look; ``T/nearest_prototypes``: smallest distance between two
      prototypes.

    Args:
        interval (int): Iterations from one look to the next. Defaults to 50.
        window (int): Number of looks over which accuracy, mIoU and class
            frequencies are computed. Defaults to 10.
        classes (Sequence[str]): Names of classes to log individually.
            Defaults to none.

    Raises:
        ValueError: If a number is below 1, or the data set has no such
            class.
    """

    def __init__(
        self,
        interval: int = 50,
        window: int = 10,
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__(interval)
        check_count(f'{type(self).__name__}.window', window, 1)
        self.window = window
        self.classes = list_of_names(f'{type(self).__name__}.classes', classes)
        self.names: list[str] = []
        self._starved: dict[str, list[int]] = {}
        self._windows: dict[str, list[Tensor]] = {}
        self._prototypes: dict[int, Tensor] = {}
        self._prior: Optional[Tensor] = None

    def before_train(self, runner: Runner) -> None:
        """Take the names of the classes from the training set."""
        self.names = class_names(runner.train_loop.dataloader.dataset)
        for name in self.classes:
            check_choice(f'{type(self).__name__}.classes', name, self.names)

    def look(self, runner: Runner, model: Any, record: dict) -> None:
        """Compute the scalars."""
        scalars = self._couple(record)
        self._count_labelled(record['labelled'], model.num_classes)
        for name, source in record['sources'].items():
            for key, value in self._look(name, source, record, model).items():
                scalars[f'{name}/{key}'] = value
        for i, rectifier in enumerate(model.rectifiers):
            if not isinstance(rectifier, PrototypeRectifier):
                continue
            for key, value in self._look_at_prototypes(i, rectifier).items():
                scalars[f'teachers.{i}/{key}'] = value
        for key, value in scalars.items():
            runner.message_hub.update_scalar(
                f'train/monitor/{key}', float(value)
            )

    @staticmethod
    def _couple(record: dict) -> dict[str, Tensor]:
        """Similarity of the first two teachers, or students."""
        sources = record['sources'].values()
        probs = record.get('predictions') or [s['probs'] for s in sources]
        if len(probs) < 2:
            return {}
        valid = record['valid']
        return dict(
            total_variation=total_variation(probs[0], probs[1], valid),
            agreement=agreement(probs[0], probs[1], valid),
        )

    def _count_labelled(self, truth: Tensor, classes: int) -> None:
        """Add a batch to the class frequencies of labelled images.

        All batches so far count, as a single one lacks rare classes.
        """
        known = torch.bincount(truth[truth < classes], minlength=classes)
        self._prior = known if self._prior is None else self._prior + known

    def _sum_of_window(self, key: str, value: Tensor) -> Tensor:
        """Sum over the looks of the window, including this one."""
        window = self._windows.setdefault(key, [])
        window.append(value)
        del window[: -self.window]
        return torch.stack(window).sum(0)

    def _look(
        self, name: str, source: dict, record: dict, model: Any
    ) -> dict[str, Tensor]:
        """Scalars of one source of labels."""
        valid, classes = record['valid'], model.num_classes
        count = valid.sum().clamp(min=1)
        confidence = source['probs'].amax(1)[valid]
        scalars = dict(confidence=confidence.sum() / count)
        threshold = model.semi_train_cfg.confidence
        if threshold is not None:
            own = probability_of(source['labels'], source['probs'])[valid]
            scalars['kept'] = (own >= threshold).sum() / count
        rectified = len(model.rectifiers) and name.startswith('teachers.')
        if rectified:
            changed = (source['labels'] != source['plain']) & valid
            # Pixels that it ignores did not get another class.
            changed &= source['labels'] < classes
            scalars['changed'] = changed.sum() / count
        scalars.update(self._balance(name, source['labels'][valid], classes))
        masks = record.get('masks')
        if masks is not None:
            kinds = {'': source['labels']}
            if rectified:
                kinds['_raw'] = source['plain']
            for suffix, labels in kinds.items():
                scalars.update(
                    self._score(name, suffix, labels, masks, classes)
                )
        return scalars

    def _balance(
        self, name: str, labels: Tensor, classes: int
    ) -> dict[str, Tensor]:
        """Class frequencies compared with those of the labelled images."""
        assert self._prior is not None
        found = torch.bincount(labels, minlength=classes)[:classes]
        found = self._sum_of_window(f'{name} found', found)
        shares = found / found.sum().clamp(min=1)
        prior = self._prior / self._prior.sum().clamp(min=1)
        starved = shares < STARVED * prior
        self._name_starved(name, starved, shares, prior)
        return dict(
            prior_gap=(shares - prior).abs().sum() / 2,
            starved_classes=starved.sum(),
            **self._of_classes('share', shares),
        )

    def _of_classes(
        self, key: str, values: Tensor, known: Optional[Tensor] = None
    ) -> dict[str, Tensor]:
        """Values of the chosen ``classes``, from one value per class (K,)."""
        places = {name: self.names.index(name) for name in self.classes}
        return {
            f'{key}.{name}': values[i]
            for name, i in places.items()
            if known is None or known[i]
        }

    def _name_starved(
        self, source: str, starved: Tensor, shares: Tensor, prior: Tensor
    ) -> None:
        """Log which classes are starved, whenever that changes."""
        if len(self._windows[f'{source} found']) < self.window:
            return
        now = starved.nonzero()[:, 0].tolist()
        if now == self._starved.get(source, []):
            return
        self._starved[source] = now
        named = ', '.join(
            f'{self.names[i] if self.names else i} '
            f'({shares[i]:.2%} of them, {prior[i]:.2%} of the labels)'
            for i in now
        )
        print_log(
            f'pseudo labels of {source}: starved classes: {named or "none"}',
            logger='current',
        )

    def _score(
        self, name: str, suffix: str, labels: Tensor, masks: Tensor, k: int
    ) -> dict[str, Tensor]:
        """Accuracy and mIoU over the window; none without ground truth."""
        scored = (masks < k) & (labels < k)
        pairs = masks[scored] * k + labels[scored]
        matrix = torch.bincount(pairs, minlength=k * k).view(k, k)
        total = self._sum_of_window(f'{name} {suffix}', matrix).float()
        if not total.any():
            return {}
        hits = total.diagonal()
        union = total.sum(0) + total.sum(1) - hits
        present = union > 0
        return {
            f'accuracy{suffix}': hits.sum() / total.sum(),
            f'mIoU{suffix}': (hits[present] / union[present]).mean(),
            **self._of_classes(f'IoU{suffix}', hits / union, present),
        }

    def _look_at_prototypes(
        self, index: int, rectifier: PrototypeRectifier
    ) -> dict[str, Tensor]:
        """Scalars of one learner's prototypes."""
        known = rectifier.initialised
        now = rectifier.prototypes.clone()
        scalars = {}
        if index in self._prototypes and known.any():
            moved = torch.linalg.vector_norm(
                now - self._prototypes[index], dim=1
            )
            scalars['prototype_drift'] = moved[known].mean()
        self._prototypes[index] = now
        if known.sum() > 1:
            distances = torch.pdist(now[known])
            scalars['nearest_prototypes'] = distances.min()
        return scalars
