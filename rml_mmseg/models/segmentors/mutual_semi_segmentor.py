"""Mutual learning of several segmentors from unlabelled images."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Optional, Union

import torch
from mmseg.registry import MODELS
from mmseg.utils import add_prefix
from torch import Tensor

from ..utils.ema import average_state
from ..utils.feature_dropout import divide_channels, dropped_forward
from ..utils.learners import (
    build_losses,
    build_rectifiers,
    check_checkpointing,
    check_learners,
    check_views,
)
from ..utils.mixing import hard_labels, joined_views, mixed_view
from ..utils.monitored import monitored
from ..utils.network_state import State, network_state
from ..utils.plain_checkpoint import fan_out, is_filled
from ..utils.pseudo_labels import PseudoLabeller, Target
from ..utils.recomputed_buffers import RecomputedBuffers
from ..utils.segmentor_forward import (
    are_of_one_size,
    channels_last,
    resize_logits,
    student_forward,
)
from ..utils.semi_train_cfg import SemiTrainCfg
from ..utils.target_costs import target_costs
from .learners_segmentor import LearnersSegmentor


@MODELS.register_module()
class MutualSemiSegmentor(LearnersSegmentor):
    """Robust Mutual Learning of any stock segmentors (arXiv 2106.00609).

    Every learner is a student, trained by gradients, and a teacher, its
    EMA. Teachers label the weak views of unlabelled images; each rectifier
    corrects its own teacher's labels (Eq. 6); each student learns from
    ground truth (Eq. 1) and, on a strong and mixed view, from its own and
    its peers' labels (Eq. 5). ``MutualEMAHook`` updates teachers and
    prototypes.

    One learner with ``self_weight`` alone is Mean Teacher; two with
    ``peer_source='student'`` and no ``self_weight`` are direct mutual
    learning; two with the defaults are the paper's indirect mutual learning,
    and with a rectifier Robust Mutual Learning.

    Args:
        segmentors (list[dict] | dict): Configs of stock segmentors.
        rectifier (dict, optional): Config of a rectifier, built for every
            learner; ``num_classes`` and ``channels`` are filled in.
        semi_train_cfg (dict, optional): See ``SemiTrainCfg``.
        test_cfg (dict, optional): Stock settings (``mode``, ``stride``,
            ``crop_size``) for every learner; ``predict_on``, the deployed
            learner: ``'students.{i}'``, ``'teachers.{i}'`` or
            ``'ensemble'``, the mean of the teachers' probabilities
            (default ``'teachers.0'``); ``score``, further learners that
            ``LearnersIoUMetric`` scores in the same pass.
        data_preprocessor (dict, optional): A ``SemiSegDataPreProcessor``.
        pretrained (str, optional): Not supported here, accepted because
            stock tools set it to None.
        train_cfg (dict, optional): Likewise.
        init_cfg (dict, optional): Likewise.

    Raises:
        ValueError: If a setting is wrong; the message names it.
    """

    def __init__(
        self,
        segmentors: Union[dict, Sequence[dict]],
        rectifier: Optional[dict] = None,
        semi_train_cfg: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        pretrained: Optional[str] = None,
        train_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        if pretrained is not None or init_cfg is not None or train_cfg:
            raise ValueError(
                'pretrained, init_cfg and train_cfg belong in the configs of '
                '`model.segmentors`, not in the wrapper, which reads '
                'semi_train_cfg'
            )
        super().__init__(segmentors, test_cfg, data_preprocessor)
        check_learners(self.students)
        cfg = SemiTrainCfg.build(semi_train_cfg, len(self.students))
        self.semi_train_cfg = cfg
        self.rectifiers = build_rectifiers(self.students, rectifier, cfg)
        self.pseudo_label_losses, soft = build_losses(
            cfg, len(self.students), rectifier is not None
        )
        self.pseudo_labeller = PseudoLabeller(cfg, self.num_classes, soft)
        share = cfg.complementary_dropout
        self._divide = partial(divide_channels, share=share) if share else None
        if cfg.channels_last:
            self.to(memory_format=torch.channels_last)
        self.recomputed = RecomputedBuffers(self.students)
        self.check_passes()
        self.iteration = 0
        self.burning_in = False
        self.ema_attached = False
        self.teachers_loaded: set[int] = set()
        self.teachers_trained: set[int] = set()
        self.record: Optional[dict[str, Any]] = None

    def check_passes(self, inputs: Mapping[str, Any] = {}) -> None:
        """Refuse activation checkpointing that DDP cannot handle.

        Args:
            inputs (dict): Batch, of which only the sizes are read.

        Raises:
            ValueError: If such a student makes several forward passes in a
                run of several ranks.
        """
        cfg = self.semi_train_cfg
        check_checkpointing(self.students, self.recomputed, cfg, inputs)

    def init_weights(self) -> None:
        """Initialise the students and copy them to the teachers."""
        students: Any = self.students
        for student in students:
            student.init_weights()
        self.sync_teachers()

    def sync_teachers(self, but: Collection[int] = ()) -> None:
        """Copy every student to its teacher, except the indices in ``but``."""
        pairs = enumerate(zip(self.teachers, self.students))
        states = [
            (network_state(t), network_state(s))
            for i, (t, s) in pairs
            if i not in but
        ]
        self.update_teachers(momentum=0.0, states=states)

    def update_teachers(
        self,
        momentum: float,
        buffers: str = 'copy',
        states: Optional[Sequence[tuple[State, State]]] = None,
    ) -> None:
        """Move every teacher towards its student.

        Args:
            momentum (float): Share of a teacher that stays, in [0, 1].
            buffers (str): See ``ema_update``. Defaults to ``'copy'``.
            states (list[tuple], optional): State of each teacher and its
                student, if the caller has read them already. Defaults to
                None: they are read here.
        """
        if states is None:
            pairs = zip(self.teachers, self.students)
            states = [(network_state(t), network_state(s)) for t, s in pairs]
        for teacher, student in states:
            average_state(teacher, student, momentum, buffers)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        mark = f'{prefix}teachers.'
        # Checked before `fan_out`, whose teachers are mere copies of students.
        self.teachers_trained = {
            i
            for i, teacher in enumerate(self.teachers)
            if is_filled(state_dict, f'{mark}{i}.', teacher)
        }
        fan_out(state_dict, prefix, list(self.students))
        self.teachers_loaded = {
            int(key[len(mark) :].partition('.')[0])
            for key in state_dict
            if key.startswith(mark)
        }
        super()._load_from_state_dict(state_dict, prefix, *args)

    def loss(self, inputs: dict, data_samples: dict) -> dict[str, Tensor]:
        """Compute the losses of all students.

        Args:
            inputs (dict): See ``SemiSegDataPreProcessor``.
            data_samples (dict): ``labelled`` and ``unlabelled`` samples;
                the latter are for monitoring only.

        Returns:
            dict[str, Tensor]: Losses named ``students.{i}.*``.

        Raises:
            RuntimeError: If there is no ``MutualEMAHook``.
            ValueError: If the batch has too few strong views or images.
        """
        if not self.ema_attached:
            raise RuntimeError(
                'the teachers would never be updated: add '
                "dict(type='MutualEMAHook') to custom_hooks"
            )
        check_views(self.semi_train_cfg, inputs)
        losses = self._losses(inputs, data_samples)
        self.recomputed.note()
        return losses

    def _losses(self, inputs: dict, data_samples: dict) -> dict[str, Tensor]:
        """Compute the losses of :meth:`loss`."""
        if self.semi_train_cfg.channels_last:
            inputs = {**inputs, **channels_last(inputs)}
        if self.burning_in or not self.semi_train_cfg.unsup_weight:
            return self._supervised_loss(inputs, data_samples)
        self._show_labels(data_samples)
        labels = self.pseudo_labeller(self, inputs)
        if self.record is not None:
            self.record.update(monitored(inputs, data_samples))
        if not labels[0]:
            return self._supervised_loss(inputs, data_samples)
        cfg, losses = self.semi_train_cfg, {}
        join = cfg.joint_forward and are_of_one_size(
            self, inputs['labelled'], inputs['weak']
        )
        for i, student in enumerate(self.students):
            view, targets, valid = self.student_view(i, inputs, labels[i])
            supervised, logits = student_forward(
                student,
                inputs['labelled'],
                data_samples['labelled'],
                view,
                join,
                cfg.unlabelled_statistics,
                self._divide,
            )
            logits = resize_logits(student, logits, view.shape[-2:])
            loss = self.pseudo_label_losses[i]
            for name, cost in target_costs(loss, logits, targets, valid):
                supervised[f'loss_{name}'] = cost
            if cfg.feature_dropout:
                supervised.update(self._feature_loss(i, inputs, labels[i]))
            losses.update(add_prefix(supervised, f'students.{i}'))
            if self.record is not None:
                ids = [(n, hard_labels(y), w) for n, y, w in targets]
                self.record.setdefault('mixed', []).append(
                    (view, ids, valid, logits.detach())
                )
        return losses

    def _show_labels(self, data_samples: dict[str, list]) -> None:
        """Pass the ground truth to the rectifiers that align with it."""
        rectifiers: Any = self.rectifiers
        for rectifier in rectifiers:
            if rectifier.takes_labels:
                for sample in data_samples['labelled']:
                    rectifier.accumulate_labels(sample.gt_sem_seg.data)

    def student_view(
        self, i: int, inputs: dict, targets: list[Target]
    ) -> tuple[Tensor, list[Target], Tensor]:
        """Mix the strong views that student i learns from.

        A subclass may mix differently; apart from ``feature_dropout``, the
        student sees nothing else of the unlabelled images.

        Args:
            i (int): Index of the student.
            inputs (dict): See ``SemiSegDataPreProcessor``; M unlabelled
                images, S strong views.
            targets (list[tuple]): For each source of labels, its name, its
                labels of the weak views, (M, H, W) or probabilities
                (M, K, H, W), and a weight, one number or (M, H, W).

        Returns:
            tuple: Images (V, 3, H, W); targets with the same names, and
            labels and weights for these images; valid pixels (V, H, W),
            bool. V is ``strong_views * M``.
        """
        count = self.semi_train_cfg.strong_views
        return joined_views(
            [
                mixed_view(inputs, targets, i * count + number, number)
                for number in range(count)
            ]
        )

    def _feature_loss(
        self, i: int, inputs: dict, targets: list[Target]
    ) -> dict[str, Tensor]:
        """Losses of student i on perturbed features of the weak view."""
        cfg, student, weak = (
            self.semi_train_cfg,
            self.students[i],
            inputs['weak'],
        )
        logits = dropped_forward(
            student, weak, cfg.feature_dropout, cfg.unlabelled_statistics
        )
        logits = resize_logits(student, logits, weak.shape[-2:])
        loss = self.pseudo_label_losses[i]
        costs = target_costs(loss, logits, targets, inputs['valid'])
        return {
            f'loss_feature_{name}': cfg.feature_weight * cost
            for name, cost in costs
        }

    def _supervised_loss(
        self, inputs: dict, data_samples: dict
    ) -> dict[str, Tensor]:
        """Losses on labelled images alone (Eq. 1)."""
        losses: dict[str, Tensor] = {}
        students: Any = self.students
        for i, student in enumerate(students):
            own = student.loss(inputs['labelled'], data_samples['labelled'])
            losses.update(add_prefix(own, f'students.{i}'))
        return losses
