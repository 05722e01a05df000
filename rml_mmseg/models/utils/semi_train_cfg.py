"""How a segmentor learns from unlabelled images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Optional, Union

from rml_mmseg.setting_checks import (
    check_choice,
    check_count,
    check_flag,
    check_known,
    check_number,
)

# Of the numbers in ``SemiTrainCfg``; None is valid where it is the default.
INTERVALS = dict(
    unsup_weight='[0, inf)',
    self_weight='[0, inf)',
    peer_weight='[0, inf)',
    confidence='[0, 1)',
    confidence_share='[0, 1)',
    complementary_dropout='[0, 1]',
    feature_dropout='[0, 1)',
    feature_weight='[0, inf)',
)
SOURCES = ['teacher', 'student']


@dataclass(frozen=True)
class SemiTrainCfg:
    """Settings of ``semi_train_cfg``, checked by :meth:`build`.

    Attributes:
        unsup_weight: Weight of all losses on unlabelled images; with 0 these
            images are not used.
        self_weight: Weight of the labels of a learner's own teacher.
        peer_weight: Weight of the labels of each peer.
        self_source: Who makes a learner's own labels: its ``'teacher'`` or
            the ``'student'`` itself (FixMatch).
        peer_source: Who makes a peer's labels: its ``'teacher'`` (indirect
            mutual learning, Eq. 4) or the ``'student'`` itself (direct,
            Eq. 3).
        p0: Soft pseudo labels of Eq. 6: ``'online'``, by the current
            teachers, or ``'stage'``, by the teachers at the start of the
            stage.
        ensemble_p0: Whether every teacher's p0 is the mean of all teachers'
            soft labels, which it rectifies by its own prototypes.
        confidence: Labels with a lower probability, which for a rectified
            label is the p0 of its class, are ignored, in [0, 1); None for
            no threshold.
        confidence_share: All labels of a batch are weighted by the share of
            them with at least this probability (as for ``confidence``), in
            [0, 1) (CutMix-Seg, ClassMix); None for no such weight.
        strong_views: Strong views of each image that a student learns from,
            each with its own mask if ``CutMix.num_masks`` is as large
            (UniMatch).
        complementary_dropout: Share of the images for which each of two
            strong views drops the half of the encoder's channels that the
            other keeps (UniMatch V2), in [0, 1].
        feature_dropout: Share of channels dropped from the encoder's
            features of the weak view, from which a student then also learns
            its labels (UniMatch), in [0, 1); 0 for no such loss.
        feature_weight: Weight of that loss relative to that of the strong
            views.
        ramp_up_iters: Iterations after the burn-in in which
            ``unsup_weight`` rises as ``exp(-5 (1 - t)^2)`` (Tarvainen and
            Valpola, 2017).
        joint_forward: Whether labelled and unlabelled images share one
            forward pass and so their batch statistics.
        unlabelled_statistics: Whether strong views update the running
            statistics of batch normalisation, which normalise weak views
            and test images; if not, strong views have their own forward
            pass.
        channels_last: Whether networks and images use the channels-last
            memory format, which is faster on most devices.
        cuda_graphs: Whether the teachers' computation on a batch is a CUDA
            graph where there is a GPU: the same labels, with less CPU work
            and more memory. Batches should have one size, such as that of
            ``data_preprocessor.size``; a custom rectifier must not wait for
            the GPU, nor keep state other than buffers and ``pending``, to
            which it adds.
        loss: Config of the loss on pseudo labels, built once for each
            learner, or a list with a config for each learner.
    """

    unsup_weight: float = 1.0
    self_weight: float = 1.0
    peer_weight: float = 1.0
    self_source: str = 'teacher'
    peer_source: str = 'teacher'
    p0: str = 'online'
    ensemble_p0: bool = False
    confidence: Optional[float] = None
    confidence_share: Optional[float] = None
    strong_views: int = 1
    complementary_dropout: float = 0.0
    feature_dropout: float = 0.0
    feature_weight: float = 1.0
    ramp_up_iters: int = 0
    joint_forward: bool = True
    unlabelled_statistics: bool = True
    channels_last: bool = False
    cuda_graphs: bool = False
    loss: Union[Mapping, Sequence[Mapping]] = field(
        default_factory=lambda: {'type': 'PseudoLabelLoss'}
    )

    @classmethod
    def build(cls, cfg: Optional[Mapping], learners: int) -> 'SemiTrainCfg':
        """Build and check the settings for a number of learners.

        Raises:
            ValueError: If a key is unknown or a value is invalid.
        """
        cfg = dict(cfg or {})
        check_known('semi_train_cfg', cfg, [item.name for item in fields(cls)])
        self = cls(**cfg)
        self._check_values()
        self._check(learners)
        return self

    def _check_values(self) -> None:
        """Check each setting by itself."""
        for item in fields(self):
            name, value = (
                f'semi_train_cfg.{item.name}',
                getattr(self, item.name),
            )
            if value is None and item.default is None:
                continue
            if item.name in INTERVALS:
                check_number(name, value, INTERVALS[item.name])
            if isinstance(item.default, bool):
                check_flag(name, value)
        check_count('semi_train_cfg.strong_views', self.strong_views, 1)
        check_count('semi_train_cfg.ramp_up_iters', self.ramp_up_iters, 0)
        for source in ('self_source', 'peer_source'):
            value = getattr(self, source)
            check_choice(f'semi_train_cfg.{source}', value, SOURCES)
        check_choice('semi_train_cfg.p0', self.p0, ['online', 'stage'])
        losses = self.loss
        if isinstance(losses, Mapping):
            losses = [losses]
        if not isinstance(losses, (list, tuple)) or not all(
            isinstance(loss, Mapping) for loss in losses
        ):
            raise ValueError(
                'semi_train_cfg.loss must be a config, or a list with one '
                f'for each learner, got {self.loss!r}'
            )

    def _check(self, learners: int) -> None:
        """Check settings that depend on each other."""
        if not isinstance(self.loss, Mapping) and len(self.loss) != learners:
            raise ValueError(
                f'semi_train_cfg.loss has {len(self.loss)} configs for '
                f'{learners} model.segmentors: give one for each, or a '
                'single one for all'
            )
        taught = any(self.taught_by(source, learners) for source in SOURCES)
        if self.unsup_weight and not taught:
            raise ValueError(
                'semi_train_cfg gives the unlabelled images no labels: '
                f'self_weight=0 with peer_weight={self.peer_weight} and '
                f'{learners} learner(s). Set self_weight above 0, or '
                'peer_weight above 0 with two learners or more'
            )
        if self.ensemble_p0 and learners < 2:
            raise ValueError(
                'semi_train_cfg.ensemble_p0=True needs two learners or more: '
                'set it to False, or add a network to model.segmentors'
            )
        for name, used in (
            ('ensemble_p0', self.ensemble_p0),
            ('p0', self.p0 == 'stage'),
        ):
            if used and not self.taught_by('teacher', learners):
                raise ValueError(
                    f'semi_train_cfg.{name}={getattr(self, name)!r} is for '
                    'labels of teachers, but no student uses any: remove it, '
                    "or set self_source or peer_source to 'teacher'"
                )
        if self.complementary_dropout and self.strong_views != 2:
            raise ValueError(
                'semi_train_cfg.complementary_dropout divides channels '
                'between two strong views: set strong_views=2 (found '
                f'{self.strong_views}), or complementary_dropout=0'
            )

    def taught_by(self, source: str, learners: int) -> bool:
        """Whether any of ``learners`` gets labels from this kind of source."""
        own = self.self_source == source and self.self_weight > 0
        peers = self.peer_source == source and self.peer_weight > 0
        return own or (peers and learners > 1)

    def losses(self, learners: int) -> list[dict[str, Any]]:
        """Config of each learner's loss on pseudo labels."""
        if isinstance(self.loss, Mapping):
            return [dict(self.loss) for _ in range(learners)]
        return [dict(item) for item in self.loss]

    def weight_at(self, iteration: int) -> float:
        """Weight of the unlabelled images at an iteration after burn-in."""
        if iteration >= self.ramp_up_iters:
            return self.unsup_weight
        rest = 1 - iteration / self.ramp_up_iters
        return self.unsup_weight * math.exp(-5 * rest * rest)
