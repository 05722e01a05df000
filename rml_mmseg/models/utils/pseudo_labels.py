"""Pseudo labels for every student, Eq. 4 to 6 of RML."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Optional, Protocol, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cuda_graphs import GraphedCalls
from .segmentor_forward import (
    feature_labels,
    logits_of,
    resize_logits,
)
from .semi_train_cfg import SemiTrainCfg

Weight = Union[float, Tensor]
"""Of all pixels alike, or (M, H, W), of each."""
Target = tuple[str, Tensor, Weight]


def is_map(weight: Weight) -> bool:
    """Whether each pixel has its own weight."""
    return isinstance(weight, Tensor) and weight.ndim == 3


def probability_of(labels: Tensor, probs: Tensor) -> Tensor:
    """Probability of each label, and 0 where a rectifier gave none.

    Args:
        labels (Tensor): Class ids (M, H, W), or an id above all classes.
        probs (Tensor): Soft labels (M, K, H, W).

    Returns:
        Tensor: (M, H, W).
    """
    last = probs.shape[1] - 1
    found = probs.gather(1, labels.clamp(max=last).unsqueeze(1)).squeeze(1)
    return found.masked_fill(labels > last, 0)


class Learners(Protocol):
    """Attributes of a ``MutualSemiSegmentor`` that a labeller reads."""

    students: nn.ModuleList
    teachers: nn.ModuleList
    rectifiers: nn.ModuleList
    iteration: int
    record: Optional[dict[str, Any]]


class PseudoLabeller:
    """Makes the labels that each student learns from on unlabelled images.

    Args:
        cfg (SemiTrainCfg): Settings.
        num_classes (int): Number of classes K.
        soft (bool): Whether labels are probabilities (M, K, H, W) instead
            of class ids. Defaults to False.
    """

    def __init__(
        self, cfg: SemiTrainCfg, num_classes: int, soft: bool = False
    ) -> None:
        self.cfg = cfg
        self.num_classes = num_classes
        self.soft = soft
        self.graphs = GraphedCalls()

    @torch.no_grad()
    def __call__(
        self, model: Learners, inputs: dict[str, Any]
    ) -> list[list[Target]]:
        """Label the weak views.

        Args:
            model (MutualSemiSegmentor): Learners and rectifiers.
            inputs (dict): Batch with ``weak`` (M, 3, H, W), ``valid``
                (M, H, W) and, for ``p0='stage'``, ``soft_labels``.

        Returns:
            list[list[tuple]]: For every student its targets, each a name
            (``'self'`` or ``'peer{j}'``), labels (M, H, W) or, if ``soft``,
            (M, K, H, W), and a weight, which is (M, H, W) if the rectifier
            weights pixels.

        Raises:
            RuntimeError: If ``p0='stage'`` and there are no ``soft_labels``.
            ValueError: If a rectifier returns maps of another size.
        """
        count = len(model.students)
        cfg, weight = self.cfg, self.cfg.weight_at(model.iteration)
        labels: dict[tuple[str, int], tuple[Tensor, Weight]] = {}
        if cfg.taught_by('teacher', count):
            for i, result in enumerate(self._taught(model, inputs)):
                labels['teacher', i] = result
        if cfg.taught_by('student', count):
            for i in range(count):
                labels['student', i] = self._student_labels(model, i, inputs)
        # Weights cast here, without gradients, stay in autocast's cache. An
        # older torch would train a student with them: it learns nothing.
        torch.clear_autocast_cache()
        targets: list[list[Target]] = []
        for i in range(count):
            sources = [('self', cfg.self_source, i, cfg.self_weight)]
            sources += [
                (f'peer{j}', cfg.peer_source, j, cfg.peer_weight)
                for j in range(count)
                if j != i
            ]
            own: list[Target] = []
            for name, source, j, share in sources:
                if share:
                    made, trust = labels[source, j]
                    own.append((name, made, weight * share * trust))
            targets.append(own)
        return targets

    def _taught(
        self, model: Learners, inputs: dict[str, Any]
    ) -> list[tuple[Tensor, Weight]]:
        """Labels of every teacher; rectifiers accumulate the batch."""
        weak, valid = inputs['weak'], inputs['valid']
        count = len(model.teachers) if self.cfg.p0 == 'stage' else 0
        stored = (self._cached(inputs, i) for i in range(count))
        if not self.cfg.cuda_graphs or model.record is not None:
            return list(self._teacher_labels(model, weak, valid, stored))
        labels, noted = self.graphs(
            partial(self._labels_and_notes, model),
            [model.teachers, model.rectifiers],
            [weak, valid, *stored],
        )
        rectifiers: Any = model.rectifiers
        for rectifier, note in zip(rectifiers, noted):
            if note is not None:
                # Cloned, as the graph overwrites its memory.
                before = rectifier.pending
                note = note.clone() if before is None else before + note
                rectifier.pending = note
        return labels

    def _labels_and_notes(
        self, model: Learners, weak: Tensor, valid: Tensor, *stored: Tensor
    ) -> tuple[list[tuple[Tensor, Weight]], list[Optional[Tensor]]]:
        """Labels of every teacher, and what each rectifier accumulated."""
        rectifiers: Any = model.rectifiers
        before = [rectifier.pending for rectifier in rectifiers]
        for rectifier in rectifiers:
            rectifier.pending = None
        labels = list(self._teacher_labels(model, weak, valid, iter(stored)))
        noted = [rectifier.pending for rectifier in rectifiers]
        for rectifier, pending in zip(rectifiers, before):
            rectifier.pending = pending
        return labels, noted

    def _teacher_labels(
        self,
        model: Learners,
        weak: Tensor,
        valid: Tensor,
        stored: Iterator[Tensor],
    ) -> Iterator[tuple[Tensor, Weight]]:
        """Labels of every teacher, rectified if there are rectifiers."""
        size = weak.shape[-2:]
        seen = (
            self._soft_labels(model, i, weak, stored)
            for i in range(len(model.teachers))
        )
        if self.cfg.ensemble_p0:
            own = list(seen)
            mean = torch.stack([probs for probs, _, _ in own]).mean(0)
            seen = ((mean, logits, features) for _, logits, features in own)
        for i, (probs, logits, features) in enumerate(seen):
            labels, trust = None, None
            if model.record is not None and logits is not None:
                teacher: nn.Module = model.teachers[i]
                today = resize_logits(teacher, logits, size).softmax(1)
                model.record.setdefault('predictions', []).append(today)
            if logits is not None and features is not None:
                rectifier: Any = model.rectifiers[i]
                labels, trust = _labels_and_trust(
                    rectifier, rectifier(probs, features, valid), valid
                )
                rectifier.accumulate(
                    features, feature_labels(logits, features, valid)
                )
            name = f'teachers.{i}'
            made, share = self._finish(model, name, probs, labels, valid)
            yield made, share if trust is None else share * trust

    def _soft_labels(
        self,
        model: Learners,
        i: int,
        weak: Tensor,
        stored: Iterator[Tensor],
    ) -> tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
        """Soft labels p0, logits and, for a rectifier, features.

        With stored labels, logits are only for a rectifier or a monitor.
        """
        teacher = model.teachers[i]
        offline = self.cfg.p0 == 'stage'
        if offline and not model.rectifiers and model.record is None:
            return next(stored), None, None
        logits, features = logits_of(teacher, weak, bool(model.rectifiers))
        if offline:
            return next(stored), logits, features
        probs = resize_logits(teacher, logits, weak.shape[-2:]).softmax(1)
        return probs, logits, features

    def _student_labels(
        self, model: Learners, i: int, inputs: dict[str, Any]
    ) -> tuple[Tensor, Weight]:
        """Labels by student i itself, without its noise (Eq. 3)."""
        student: nn.Module = model.students[i]
        student.eval()
        logits, _ = logits_of(student, inputs['weak'])
        student.train()
        size = inputs['weak'].shape[-2:]
        probs = resize_logits(student, logits, size).softmax(1)
        valid = inputs['valid']
        return self._finish(model, f'students.{i}', probs, None, valid)

    def _finish(
        self,
        model: Learners,
        name: str,
        probs: Tensor,
        labels: Optional[Tensor],
        valid: Tensor,
    ) -> tuple[Tensor, Weight]:
        """Apply the threshold and record what monitors need.

        Returns:
            tuple: Labels, and a factor for their weight.
        """
        threshold, least = self.cfg.confidence, self.cfg.confidence_share
        watched = model.record is not None
        if threshold is None and least is None and not watched:
            if self.soft:
                return probs, 1.0
            if labels is not None:
                return labels, 1.0
        confidence, plain = probs.max(1)
        if labels is None:
            labels = plain
        else:
            # Rectified labels are not always the most probable ones.
            confidence = probability_of(labels, probs)
        if model.record is not None:
            model.record.setdefault('sources', {})[name] = dict(
                probs=probs, plain=plain, labels=labels
            )
        if threshold is not None:
            labels = labels.masked_fill(confidence < threshold, 255)
        share: Weight = 1.0
        if least is not None:
            trusted = ((confidence >= least) & valid).sum()
            share = trusted / valid.sum().clamp(min=1)
        return probs if self.soft else labels, share

    def _cached(self, inputs: dict[str, Any], i: int) -> Tensor:
        """Soft labels (M, K, H, W) stored at the start of the stage."""
        if 'soft_labels' not in inputs:
            raise RuntimeError(
                "semi_train_cfg.p0='stage' needs the soft pseudo labels of "
                'the stage in the batch: train with StagedTrainLoop, '
                'SemiSegSampler and SemiSegDataset'
            )
        logits = [
            sample_logits(labels, places)
            for labels, places in zip(
                inputs['soft_labels'][i], inputs['places']
            )
        ]
        return torch.stack(logits).softmax(1)


def _labels_and_trust(
    rectifier: nn.Module, made: Any, valid: Tensor
) -> tuple[Tensor, Optional[Tensor]]:
    """Class ids of a rectifier, and pixel weights if it returns any."""
    labels, trust = made if isinstance(made, tuple) else (made, None)
    for what, tensor in (('class ids', labels), ('weights', trust)):
        if tensor is not None and tensor.shape != valid.shape:
            raise ValueError(
                f'model.rectifier: {type(rectifier).__name__} must return '
                f'{what} of the shape {tuple(valid.shape)}, but returned '
                f'{tuple(tensor.shape)}'
            )
    return labels, trust


def sample_logits(
    logits: Tensor, places: Tensor, align_corners: bool = False
) -> Tensor:
    """Sample logits at places of an image, bilinearly as in resizing.

    Args:
        logits (Tensor): Logits of the whole image, (K, h, w).
        places (Tensor): x and y as fractions of the image, (2, H, W); with
            ``align_corners``, of the way from the first logit to the last.
        align_corners (bool): Whether the outer logits lie at the corners of
            the image instead of at the centres of their cells. Defaults to
            False.

    Returns:
        Tensor: (K, H, W), float32.
    """
    grid = places.permute(1, 2, 0) * 2 - 1
    return F.grid_sample(
        logits[None].float(),
        grid[None],
        mode='bilinear',
        padding_mode='border',
        align_corners=align_corners,
    )[0]
